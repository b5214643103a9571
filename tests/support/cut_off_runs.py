"""Runs in small parts that are cut off somewhere: what they leave must not come into another."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from unittest import mock

import fastvid.job.run
from fastvid.__main__ import main
from fastvid.encode.encoded_parts import part_folder
from fastvid.errors import InputError
from fastvid.job.run import run_job
from fastvid.job.tuning import Tuning
from fastvid.runfile.reader import RunFile
from support.launching import TIMEOUT_S, Finished, RunningJob, run_program, wait_for_lock
from support.places import PROGRAMS

# Parts of 5 frames, so that a short clip has some.
PART_FRAMES = 5
_SMALL_PARTS = {"tuning": {"part_frames": PART_FRAMES}}
Rule = Mapping[str, object]
SLOW_PAINT = {"stage": "paint", "sleep": 0.08}
SLOW_ENCODE = {"stage": "encode", "sleep": 0.5}


def started(arguments: Sequence[object], *rules: Rule, ranks: int = 1) -> RunningJob:
    """`fastvid ARGUMENTS` in small parts, with stages that misbehave by these rules."""
    table = json.dumps([_SMALL_PARTS, *rules])
    return RunningJob([PROGRAMS / "patched.py"], [table, *arguments, "--threads", "1"], ranks=ranks)


def finished(arguments: Sequence[object], ranks: int = 1) -> Finished:
    """The same, to its end, with nothing that misbehaves. One rank runs in this process."""
    if ranks == 1:
        tuned = partial(run_job, tuning=Tuning(part_frames=PART_FRAMES))
        with mock.patch.object(fastvid.job.run, "run_job", tuned):
            status = main([*map(str, arguments), "--threads", "1"])
        return Finished(status, "", "as this process has written", time.time())
    table = json.dumps([_SMALL_PARTS])
    return run_program(
        [PROGRAMS / "patched.py"], [table, *arguments, "--threads", "1"], ranks=ranks
    )


def wait_for(job: RunningJob, reached: Callable[[], bool]) -> None:
    """Until a job that is under way has reached something."""
    deadline = time.monotonic() + TIMEOUT_S
    while not reached():
        assert not job.ended() and time.monotonic() < deadline, job.wait().stderr
        time.sleep(0.005)


def killed_at(
    arguments: Sequence[object], reached: Callable[[], bool], *rules: Rule, ranks: int = 1
) -> None:
    """Kills all processes of a run once it has reached something, and waits for its locks."""
    with started(arguments, *rules, ranks=ranks) as job:
        wait_for(job, reached)
        job.kill()
    wait_for_lock(Path(str(arguments[list(arguments).index("-o") + 1])))


def closed_parts(output: Path) -> list[str]:
    """The names of the closed parts of an output."""
    return sorted(path.name for path in part_folder(output).glob("*.part"))


def freed_count(run_path: Path) -> int:
    """Frames that a run has encoded and freed (--discard-frames)."""
    try:
        with RunFile(run_path) as run:
            return int(run.encoded.sum())
    except InputError:
        return 0  # not begun, or caught in the middle of a change
