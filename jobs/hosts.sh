#!/usr/bin/env bash
# Repaints a video on several hosts without Slurm: under PBS or LSF, or on hosts that take ssh.
#
#   FASTVID_HOSTS=hosts.txt jobs/hosts.sh in.mp4 out.mp4 [options of `fastvid stylize`]
#   qsub -l select=4:ncpus=16:mpiprocs=8 -- "$PWD/jobs/hosts.sh" in.mp4 out.mp4
#   bsub -n 32 -R 'span[ptile=8]' -wa USR1 -wt 2 "$PWD/jobs/hosts.sh" in.mp4 out.mp4
#
# hosts.txt has a host a line, as HOST or HOST:RANKS; PBS and LSF bring a list of their own. The first host
# reads the input and writes the output; the others need fastvid at the same place, but no files.
# A host that is lost on the way is left out, and the others go on (FASTVID_MAX_LOSSES, lib.sh).
# Status 75: stopped in time by a signal or --time-limit; the same command goes on.

set -uo pipefail

cd "${PBS_O_WORKDIR:-.}" || exit
jobs=$(dirname "${BASH_SOURCE[0]}")
[[ -r $jobs/lib.sh ]] || jobs=$PWD/jobs # the batch system runs a copy
source "${FASTVID_JOBS:-$jobs}/lib.sh" || exit

(($# >= 2)) || bad_input "usage: FASTVID_HOSTS=FILE jobs/hosts.sh INPUT OUTPUT [OPTIONS]"
list=${FASTVID_HOSTS:-${PBS_NODEFILE:-}}
listed=''
if [[ -z $list && -n ${LSB_MCPU_HOSTS:-} ]]; then # "HOST SLOTS HOST SLOTS ..."
    listed=$(xargs -n 2 printf '%s:%s\n' <<<"$LSB_MCPU_HOSTS")
fi
[[ -n $listed || -r $list ]] || bad_input "there is no list of hosts '$list'; FASTVID_HOSTS names it."
# A host that is listed again takes another rank: HOST:2.
hosts=$(awk -F: '
    /^[^#[:space:]]/ {
        sub(/[[:space:]].*/, "")
        if (!($1 in ranks)) names[++count] = $1
        ranks[$1] += NF > 1 ? $2 : 1
    }
    END {
        for (i = 1; i <= count; i++) printf("%s%s:%d", (i > 1 ? "," : ""), names[i], ranks[names[i]])
    }' < <(if [[ -n $listed ]]; then printf '%s\n' "$listed"; else cat "$list"; fi))
[[ -n $hosts ]] || bad_input "$list names no host."
ranks=0
for host in ${hosts//,/ }; do
    ranks=$((ranks + ${host##*:}))
done

launch_ranks "$ranks" "$hosts"
patience_with_hosts
run_fastvid stylize "$1" -o "$2" ${patience[@]+"${patience[@]}"} "${@:3}"
