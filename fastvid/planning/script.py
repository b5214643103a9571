"""A submission script for Slurm that runs what was planned. Pure functions."""

import math
import os
import shlex
from dataclasses import fields
from pathlib import Path

from fastvid.options import StylizeOptions

# Room for a slower processor and for waiting disks; a job that needs more requeues itself.
_TIME_RESERVE = 1.5
_SHORTEST_MINUTES = 10
_MEGABYTE = 1 << 20
_POSITIONAL = ("input", "output")
# The script says these itself.
_LEFT_OUT = ("threads", "restart", "overwrite")

_HEADER = """#!/usr/bin/env bash
# Written by `fastvid plan`: {ranks} ranks of {threads} threads, about {minutes:.0f} minutes.
#
#SBATCH --job-name=fastvid
#SBATCH --ntasks={ranks}
#SBATCH --cpus-per-task={threads}
#SBATCH --mem-per-cpu={memory_mb}M
#SBATCH --time={limit}
#SBATCH --signal=B:USR1@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

set -uo pipefail

"""
# jobs/lib.sh passes signals on, requeues, and finds Python and mpirun.
_WITH_LIBRARY = """jobs=${{FASTVID_JOBS:-{jobs}}}
source "$jobs/lib.sh" || exit
stylize {arguments}
"""
# Without it the job ends in good order when it is warned; the same submission goes on.
_ALONE = """export SLURM_WHOLE=1
exec mpirun -n {ranks} {python} -m fastvid stylize {arguments} --threads {threads}
"""


def submission_script(options: StylizeOptions, *, ranks: int, threads: int, seconds: float,
                      rank_bytes: int, python: str, jobs: Path | None) -> str:
    """The text of a script for `sbatch`.

    seconds: what the job is expected to take. rank_bytes: memory of a rank, rank 0's for all.
    python: the interpreter that has fastvid. jobs: the folder with `lib.sh`, None where there is
    none. Paths in the script are absolute: it can be submitted anywhere.
    """
    minutes = max(_SHORTEST_MINUTES, math.ceil(_TIME_RESERVE * seconds / 60))
    header = _HEADER.format(
        ranks=ranks, threads=threads, minutes=max(1.0, seconds / 60),
        memory_mb=-(-rank_bytes // (threads * _MEGABYTE)),
        limit=f"{minutes // 60:02d}:{minutes % 60:02d}:00")
    places = [_absolute(options.input), _output_text(options)]
    words = [*places, *stylize_arguments(options)]
    if jobs is not None:
        return header + _WITH_LIBRARY.format(jobs=shlex.quote(str(jobs)),
                                             arguments=shlex.join(words))
    arguments = shlex.join([places[0], "-o", *words[1:]])
    return header + _ALONE.format(ranks=ranks, threads=threads, arguments=arguments,
                                  python=shlex.quote(python))


def stylize_arguments(options: StylizeOptions) -> list[str]:
    """What differs from the defaults, as arguments of `fastvid stylize`, places made absolute."""
    default = StylizeOptions(options.input, options.output)
    words: list[str] = []
    for name in (field.name for field in fields(options)):
        value = getattr(options, name)
        if name in (*_POSITIONAL, *_LEFT_OUT) or value == getattr(default, name):
            continue
        option = "--" + name.replace("_", "-")
        if name == "style":
            for style in options.styles:
                words += [option, _style(style)]
        elif name == "first_frame_model":
            words += [option, _style(str(value))]
        elif value is True:
            words.append(option)
        else:
            # The = keeps a size like -1x360 from being taken for an option.
            words.append(f"{option}={_text(name, value)}")
    return words


def _style(name_or_path: str) -> str:
    return _absolute(name_or_path) if Path(name_or_path).is_file() else name_or_path


def _text(name: str, value: object) -> str:
    if name == "frames" and isinstance(value, tuple):
        return ":".join("" if part is None else str(part) for part in value)
    if name == "size" and isinstance(value, tuple):
        return "x".join(str(part) for part in value)
    if name == "cuts" and value not in ("auto", "none"):
        return _absolute(str(value))
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Path):
        return _absolute(value)
    return str(value)


def _absolute(path: str | Path) -> str:
    return os.path.abspath(path)


def _output_text(options: StylizeOptions) -> str:
    """The output; a folder of images keeps the slash that says so."""
    text = _absolute(options.output)
    return text + "/" if options.codec == "png" else text
