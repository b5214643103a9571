# shellcheck shell=bash
# What the job scripts have in common; they source it.
#
# A site sets these where the defaults do not fit, in the environment or at the top of this file:
#
#   FASTVID_PYTHON        the Python that has fastvid (default: .venv beside this folder, else
#                         python3)
#   FASTVID_LAUNCH        what starts the ranks, with its options (default: mpirun -n RANKS, the one
#                         beside that Python, else the one on the PATH)
#   FASTVID_MAX_RESTARTS  how often a job requeues itself before it gives up (default: 50)
#   FASTVID_MAX_LOSSES    how often a job goes on after hosts were lost (default: 10)
#   FASTVID_RANK_TIMEOUT  seconds without a sign of life after which a host of several counts as
#                         lost (default: 20)
#
# A site that needs modules loads them here:
#
#   module load python mpich

EX_BAD_INPUT=2
EX_SILENT=69   # of fastvid: a rank was silent for FASTVID_RANK_TIMEOUT
EX_TEMPFAIL=75 # of sysexits.h; fastvid: stopped in time, run the same command again
# What a program ends with that was killed by a signal: by a warning that came before it listened
# (USR1), or at the end of its grace period because a rank had not left (KILL; srun: ALRM, TERM). As
# the shell, srun and Open MPI say it, 128 + number; as mpich's mpirun does, with the numbers of all
# ranks in one. Not 11, which would be 9 and 10, but is a segmentation fault far more often.
KILLED=(137 138 142 143 9 10 15)
# A cancel reaches the ranks and this shell in any order, within this time.
CANCEL_S=1

# How long a host may take to start a program that does nothing.
ANSWER_S=${FASTVID_ANSWER_S:-15}
# How long ranks may take to meet before their hosts are asked whether they answer.
MEET_S=${FASTVID_MEET_S:-20}
# How long a launcher may take to end after rank 0: one waits for a host that is gone as long as TCP
# does, which may be a quarter of an hour.
LAUNCHER_S=5

export PYTHONUNBUFFERED=1

_name=$(basename "${SLURM_JOB_NAME:-$0}")
_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() {
    printf '%s: %s\n' "$_name" "$*" >&2
}

bad_input() {
    say "$*"
    exit "$EX_BAD_INPUT"
}

# The Python that has fastvid, in $python.
_find_python() {
    python=${FASTVID_PYTHON:-}
    if [[ -z $python && -x $_folder/../.venv/bin/python ]]; then
        python=$(cd "$_folder/../.venv/bin" && pwd)/python
    fi
    python=$(command -v "${python:-python3}") ||
        bad_input "there is no ${FASTVID_PYTHON:-python3}; FASTVID_PYTHON names the Python to use."
}

# mpirun of the same installation, or else of the site, in $mpirun. One of another MPI would start
# many programs of one rank each.
_find_mpirun() {
    mpirun=$(dirname "$python")/mpirun
    [[ -x $mpirun ]] || mpirun=$(command -v mpirun) ||
        bad_input "there is no mpirun beside $python or on the PATH; FASTVID_LAUNCH names another."
}

# _hosts_option MPIRUN: how it calls its list of hosts.
_hosts_option() {
    case $("$1" --version 2>&1) in
        *"Open MPI"* | *OpenRTE* | *PRRTE*) echo --host ;;
        *) echo -hosts ;;
    esac
}

# _launch_on RANKS HOSTS: tells the site's own launcher in $launch where the ranks go, unless it
# knows that already.
_launch_on() {
    local word
    for word in "${launch[@]}"; do
        case $word in
            -host | --host | -hosts | -H | -f | -hostfile | --hostfile | -machinefile | --machinefile)
                return
                ;;
        esac
    done
    if [[ -n ${SLURM_JOB_ID:-} && $(basename "${launch[0]}") == srun ]]; then
        launch+=(-n "$1" -w "$(tr , '\n' <<<"$2" | sed 's/:.*//' | paste -sd, -)")
        return
    fi
    case $(basename "${launch[0]}") in
        mpirun | mpiexec | mpirun.* | mpiexec.* | orterun | prterun) ;;
        *)
            bad_input "FASTVID_LAUNCH='$FASTVID_LAUNCH' is not told the hosts: it is no mpirun." \
                "Give it a list of hosts of its own, or leave FASTVID_LAUNCH out."
            ;;
    esac
    launch+=(-n "$1" "$(_hosts_option "${launch[0]}")" "$2")
}

# launch_ranks RANKS [HOST:RANKS,...]: sets the array $launch; without hosts the batch system tells
# mpirun where the ranks go.
launch_ranks() {
    hosts=${2:-}
    _find_python
    if [[ -n ${FASTVID_LAUNCH:-} ]]; then
        read -ra launch <<<"$FASTVID_LAUNCH"
        read -ra starter <<<"$FASTVID_LAUNCH"
        [[ -z ${2:-} ]] || _launch_on "$1" "$2"
        # Since Slurm 22.05, srun does not take this over from the job by itself.
        export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
        return
    fi
    _find_mpirun
    # mpirun starts one helper a node through srun. A step of one task gets one core, and so would
    # all ranks below it, unless the step is given all that the job has.
    export SLURM_WHOLE=1
    starter=("$mpirun")
    launch=("$mpirun" -n "$1")
    [[ -z ${2:-} ]] || launch+=("$(_hosts_option "$mpirun")" "$2")
}

# Whether a host of this job may be lost while others go on.
_several_hosts() {
    [[ $hosts == *,* || ${SLURM_JOB_NUM_NODES:-1} -gt 1 ]]
}

# patience_with_hosts: sets the array $patience, options of fastvid for a job of several hosts.
patience_with_hosts() {
    patience=()
    ! _several_hosts || patience=(--rank-timeout "${FASTVID_RANK_TIMEOUT:-20}")
}

# launch_one: sets $launch for a program of one process.
launch_one() {
    hosts=''
    _find_python
    launch=()
}

# line_of FILE NUMBER: the line, counted from 1. Fails if the file has none, or an empty one.
line_of() {
    [[ -r $1 ]] || bad_input "there is no list $1."
    local line
    line=$(sed -n "$2{s/\r\$//;p;q}" "$1")
    [[ -n $line ]] || bad_input "$1 has nothing on line $2; submit with" \
        "--array=1-\$(grep -c '' '$1')."
    printf '%s\n' "$line"
}

# stem PATH: its name without folder and ending.
stem() {
    local name
    name=$(basename "$1")
    printf '%s\n' "${name%.*}"
}

# What the signals do. The warning (USR1) comes from Slurm, before the time limit; TERM from a
# cancel, from a limit without a warning, or from a node that goes down. Both reach this shell only:
# mpirun hands them on to every rank. Repeated ones are harmless.
_listen() {
    warned='' ended='' child=''
    trap 'warned=1; _signalled=1; _forward USR1' USR1
    trap 'ended=1; _signalled=1; _forward TERM' TERM INT
}

_forward() {
    [[ -z $child ]] || kill -s "$1" "$child" 2>/dev/null || true
}

# What the launcher does not end for by itself: rank 0 has left and a host is gone; or a host is
# gone before all ranks have met, when nobody misses it yet.
_watch_launcher() {
    local launcher=$1 asked=$SECONDS
    until [[ -s $FASTVID_LEFT ]]; do
        kill -0 "$launcher" 2>/dev/null || return 0
        sleep 1
        [[ ! -s $FASTVID_MET ]] || continue
        if ((SECONDS - asked >= MEET_S)); then
            _ask_hosts "$_state/watch"
            if [[ -s $_state/watch.lost && -s $_state/watch.answered ]]; then
                echo "$_state/watch" >"$_state/known"
                break
            fi
            asked=$SECONDS
        fi
    done
    [[ -s $_state/known ]] || sleep "$LAUNCHER_S"
    kill -s KILL "$launcher" 2>/dev/null || true
}

# _run COMMAND...: runs it to its end and sets $status.
_run() {
    local watcher=''
    "$@" &
    child=$!
    if [[ -n ${FASTVID_LEFT:-} ]]; then
        local file
        for file in "$FASTVID_LEFT" "$FASTVID_MET" "$_state/known"; do : >"$file"; done
        _watch_launcher "$child" &
        watcher=$!
    fi
    # Signals that came before there was anybody to forward them to.
    [[ -z $warned ]] || _forward USR1
    [[ -z $ended ]] || _forward TERM
    while :; do
        _signalled=''
        status=0
        wait "$child" || status=$?
        # A signal ends the wait, not the program.
        [[ -n $_signalled ]] || break
    done
    child=''
    if [[ -n $watcher ]]; then
        kill "$watcher" 2>/dev/null || true
        wait "$watcher" 2>/dev/null || true
        [[ ! -s $FASTVID_LEFT ]] || status=$(<"$FASTVID_LEFT")
    fi
}

# The hosts of a Slurm job and how many ranks each takes, as HOST:RANKS,... in $hosts.
_hosts_of_slurm() {
    local name each=() spec i
    for spec in ${SLURM_TASKS_PER_NODE//,/ }; do
        local count=1
        [[ $spec != *x* ]] || count=$(tr -dc 0-9 <<<"${spec#*x}")
        for ((i = 0; i < count; i++)); do each+=("${spec%%(*}"); done
    done
    hosts='' i=0
    for name in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
        hosts+=${hosts:+,}$name:${each[i++]:-1}
    done
}

_know_hosts() {
    [[ -n $hosts || -z ${SLURM_TASKS_PER_NODE:-} ]] || _hosts_of_slurm
}

# _answers HOST: whether a program can be started there, in the way in which ranks are.
_answers() {
    if [[ -n ${SLURM_JOB_ID:-} ]]; then
        timeout -k 1 "$ANSWER_S" srun --overlap --quiet -N 1 -n 1 -w "$1" true
    else
        timeout -k 1 "$ANSWER_S" "${starter[@]}" -n 1 "$(_hosts_option "${starter[0]}")" "$1" true
    fi </dev/null >/dev/null 2>&1
}

# _ask_hosts FILES: asks all hosts at a time whether they answer; FILES.answered and FILES.lost then
# have a HOST:RANKS a line.
_ask_hosts() {
    local spec each asking=()
    _know_hosts
    : >"$1.answered"
    : >"$1.lost"
    for spec in ${hosts//,/ }; do
        if _answers "${spec%:*}"; then echo "$spec" >>"$1.answered"; else echo "$spec" >>"$1.lost"; fi &
        asking+=("$!")
    done
    for each in ${asking[@]+"${asking[@]}"}; do
        # A signal ends a wait, too.
        while kill -0 "$each" 2>/dev/null; do wait "$each" || true; done
    done
}

# Takes hosts off the job that do not answer any more. Fails if none does; if all do it was something
# else, unless a rank was silent: a network may come back.
_drop_lost_hosts() {
    local spec left='' lost='' ranks=0 files
    _know_hosts
    # The watch may know already.
    files=$(<"$_state/known")
    if [[ -z $files ]]; then
        files=$_state/after
        _ask_hosts "$files"
    fi
    [[ $hosts == *,* && -s $files.answered ]] || return 1
    [[ -s $files.lost || $status == "$EX_SILENT" ]] || return 1
    for spec in ${hosts//,/ }; do # in their order: rank 0 stays where it was
        if grep -qxF "$spec" "$files.answered"; then
            left+=${left:+,}$spec
            ranks=$((ranks + ${spec##*:}))
        else
            lost+=${lost:+, }${spec%:*}
        fi
    done
    local how="$ranks ranks on the other hosts"
    [[ -n $lost ]] || lost='a rank, though all hosts answer' how="the same $ranks"
    if ((losses >= ${FASTVID_MAX_LOSSES:-10})); then
        say "lost $lost; not going on after $losses losses (FASTVID_MAX_LOSSES)."
        return 1
    fi
    losses=$((losses + 1))
    say "lost $lost; going on with $how."
    launch_ranks "$ranks" "$left"
}

# Puts this job back into the queue; it goes on from its run file. Without Slurm whoever has sent the
# warning starts the same command again.
_requeue() {
    if [[ -z ${SLURM_JOB_ID:-} ]]; then
        status=$EX_TEMPFAIL
        say "out of time; start the same command again."
        return
    fi
    local restarts=${SLURM_RESTART_COUNT:-0} most=${FASTVID_MAX_RESTARTS:-50}
    if ((restarts >= most)); then
        say "not done after $restarts restarts; giving up (FASTVID_MAX_RESTARTS=$most)." \
            "Submit the same command again to go on."
        return
    fi
    # The last task of an array bears the number of the whole array.
    local job=$SLURM_JOB_ID
    [[ -z ${SLURM_ARRAY_JOB_ID:-} ]] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
    if scontrol requeue "$job"; then
        say "out of time; back in the queue (restart $((restarts + 1)))."
    else
        say "out of time, and Slurm does not requeue this job. Submit the same command again."
    fi
}

# run_fastvid ARGUMENTS...: runs `python -m fastvid ARGUMENTS` on the ranks of launch_ranks, and
# ends this script with its exit status.
run_fastvid() {
    local arguments argument restarted=${SLURM_RESTART_COUNT:-0}
    _listen
    local losses=0
    if _several_hosts; then
        _state=$(mktemp -d -t fastvid-job.XXXXXX) || exit
        trap 'rm -rf "$_state"' EXIT
        export FASTVID_LEFT=$_state/left FASTVID_MET=$_state/met
    fi
    while :; do
        arguments=()
        for argument; do
            # What goes on with what it began must not start over again and again.
            [[ $argument == --restart && $restarted -gt 0 ]] || arguments+=("$argument")
        done
        # Bash before 4.4 takes an empty array for one that is not set.
        _run ${launch[@]+"${launch[@]}"} "$python" -m fastvid ${arguments[@]+"${arguments[@]}"}
        # What it refused, was told or was asked to stop is no loss of a host.
        [[ " 0 $EX_BAD_INPUT $EX_TEMPFAIL " != *" $status "* && -z $warned$ended ]] || break
        { _several_hosts && _drop_lost_hosts; } || break
        restarted=1
    done
    # Only after a warning of our own, and only what the warning has ended, not a failure.
    if [[ -n $warned && " $EX_TEMPFAIL ${KILLED[*]} " == *" $status "* ]]; then
        sleep "$CANCEL_S"
        # Whoever cancels a job does not want it back.
        [[ -n $ended ]] || _requeue
    fi
    exit "$status"
}

# stylize INPUT OUTPUT [OPTIONS]: repaints a video on all tasks of the job.
stylize() {
    launch_ranks "${SLURM_NTASKS:?is set by sbatch --ntasks}"
    patience_with_hosts
    # Options given by the user come last and win.
    run_fastvid stylize "$1" -o "$2" --threads "${SLURM_CPUS_PER_TASK:-1}" \
        ${patience[@]+"${patience[@]}"} "${@:3}"
}
