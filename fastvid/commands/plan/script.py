"""A submission script for Slurm that runs what was planned."""

import math
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from fastvid.commands.plan.forecast import best_value
from fastvid.commands.plan.plan import JobPlan
from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.system.forms import absolute
from fastvid.system.options import option_words

# Room for a slower processor and for waiting disks; a job that needs more requeues itself.
_TIME_RESERVE = 1.5
_SHORTEST_MINUTES = 10
_MEGABYTE = 1 << 20

_HEADER = """#!/usr/bin/env bash
# Written by `fastvid plan`: {ranks} ranks of {threads} threads, about {minutes:.0f} minutes.
#
#SBATCH --job-name=fastvid
{tasks}
#SBATCH --cpus-per-task={threads}
#SBATCH --mem-per-cpu={memory_mb}M
#SBATCH --time={limit}
#SBATCH --signal=B:USR1@60
#SBATCH --requeue
{own}#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

set -uo pipefail

"""
# As in jobs/stylize-gpu.sbatch: a rank for each GPU.
_GPU_TASKS = """#SBATCH --nodes={nodes}
#SBATCH --ntasks={ranks}
#SBATCH --ntasks-per-node={per_node}
#SBATCH --gres=gpu:{per_node}"""
# jobs/lib.sh passes signals on, requeues, and finds Python and mpirun.
_WITH_LIBRARY = """jobs=${{FASTVID_JOBS:-{jobs}}}
source "$jobs/lib.sh" || exit
stylize {arguments}
"""
# Without it the job ends in good order when it is warned; the same submission goes on.
_ALONE = """export SLURM_WHOLE=1
exec mpirun -n {ranks} {python} -m fastvid stylize {arguments} --threads {threads}
"""
# Sent back to the queue it must go on, not start over; lib.sh sees to that by itself.
_RESTART_ONCE = """restart=(--restart)
((${SLURM_RESTART_COUNT:-0} == 0)) || restart=()
"""


def write_script(path: Path, plan: JobPlan, options: StylizeOptions, overwrite: bool) -> None:
    """Writes the submission script for the best value. Raises InputError if it can't be written or
    if there is a file already."""
    if path.exists() and not overwrite:
        raise InputError(
            f"{path} exists already. Use --overwrite to replace it, or another --script."
        )
    best, _ = best_value(plan.forecasts)
    jobs = Path(__file__).resolve().parents[3] / "jobs"
    text = submission_script(
        options,
        ranks=best.ranks,
        threads=plan.threads,
        gpus=plan.gpus,
        seconds=best.seconds,
        rank_bytes=plan.rank0_bytes,
        python=sys.executable,
        jobs=jobs if (jobs / "lib.sh").is_file() else None,
    )
    try:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror}.") from error


def submission_script(
    options: StylizeOptions,
    *,
    ranks: int,
    threads: int,
    gpus: int,
    seconds: float,
    rank_bytes: int,
    python: str,
    jobs: Path | None,
) -> str:
    """The text of a script for `sbatch`.

    gpus: that a node has, 0 to paint on CPUs. seconds: what the job is expected to take.
    rank_bytes: memory of a rank, rank 0's for all. python: the interpreter that has fastvid. jobs:
    the folder with `lib.sh`, None where there is none. Paths in the script are absolute: it can be
    submitted anywhere.
    """
    minutes = max(_SHORTEST_MINUTES, math.ceil(_TIME_RESERVE * seconds / 60))
    header = _HEADER.format(
        ranks=ranks,
        threads=threads,
        minutes=max(1.0, seconds / 60),
        tasks=_tasks(ranks, gpus),
        memory_mb=-(-rank_bytes // (threads * _MEGABYTE)),
        limit=f"{minutes // 60:02d}:{minutes % 60:02d}:00",
        # lib.sh goes on without a node that dies; else Slurm puts the job back into the queue.
        own="" if jobs is None else "#SBATCH --no-kill\n",
    )
    places = [absolute(options.input), _output_text(options)]
    device = f"--device={'cuda' if gpus else 'cpu'}"
    if jobs is not None:
        words = [*places, device, *option_words(options)]
        return header + _WITH_LIBRARY.format(
            jobs=shlex.quote(str(jobs)), arguments=shlex.join(words)
        )
    words = [
        places[0],
        "-o",
        places[1],
        device,
        *option_words(replace(options, restart=False)),
    ]
    restart = (_RESTART_ONCE, ' "${restart[@]}"') if options.restart else ("", "")
    return (
        header
        + restart[0]
        + _ALONE.format(
            ranks=ranks,
            threads=threads,
            arguments=shlex.join(words) + restart[1],
            python=shlex.quote(python),
        )
    )


def _tasks(ranks: int, gpus: int) -> str:
    """The lines that ask for tasks, on as few nodes as have a GPU for each, evenly."""
    if not gpus:
        return f"#SBATCH --ntasks={ranks}"
    nodes = math.ceil(ranks / gpus)
    return _GPU_TASKS.format(nodes=nodes, ranks=ranks, per_node=math.ceil(ranks / nodes))


def _output_text(options: StylizeOptions) -> str:
    """The output; a folder of images keeps the slash that says so."""
    text = absolute(options.output)
    return text + "/" if options.codec == "png" else text
