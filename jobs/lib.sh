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
#
# A site that needs modules loads them here:
#
#   module load python mpich

EX_BAD_INPUT=2
EX_TEMPFAIL=75 # of sysexits.h; fastvid: stopped in time, run the same command again
# What a program ends with that was killed by a signal: by a warning that came before it listened
# (USR1), or at the end of its grace period because a rank had not left (KILL; srun: ALRM, TERM). As
# the shell, srun and Open MPI say it, 128 + number; as mpich's mpirun does, with the numbers of all
# ranks in one. Not 11, which would be 9 and 10, but is a segmentation fault far more often.
KILLED=(137 138 142 143 9 10 15)
# A cancel reaches the ranks and this shell in any order, within this time.
CANCEL_S=1

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
    _find_python
    if [[ -n ${FASTVID_LAUNCH:-} ]]; then
        read -ra launch <<<"$FASTVID_LAUNCH"
        [[ -z ${2:-} ]] || _launch_on "$1" "$2"
        # Since Slurm 22.05, srun does not take this over from the job by itself.
        export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
        return
    fi
    _find_mpirun
    # mpirun starts one helper a node through srun. A step of one task gets one core, and so would
    # all ranks below it, unless the step is given all that the job has.
    export SLURM_WHOLE=1
    launch=("$mpirun" -n "$1")
    [[ -z ${2:-} ]] || launch+=("$(_hosts_option "$mpirun")" "$2")
}

# launch_one: sets $launch for a program of one process.
launch_one() {
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

# _run COMMAND...: runs it to its end and sets $status.
_run() {
    "$@" &
    child=$!
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
    local arguments=() argument
    for argument; do
        # A requeued job goes on with what it began; it must not start over again and again.
        [[ $argument == --restart && ${SLURM_RESTART_COUNT:-0} -gt 0 ]] || arguments+=("$argument")
    done
    _listen
    # Bash before 4.4 takes an empty array for one that is not set.
    _run ${launch[@]+"${launch[@]}"} "$python" -m fastvid ${arguments[@]+"${arguments[@]}"}
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
    # Options given by the user come last and win.
    run_fastvid stylize "$1" -o "$2" --threads "${SLURM_CPUS_PER_TASK:-1}" "${@:3}"
}
