"""A run that is asked to stop does so in good order, with status 75; the same command goes on."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from fastvid.errors import EXIT_RUN_AGAIN
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.launch import launched_rank
from fastvid.parallel.mpi.stopping import Deadline
from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import Finished, RunningJob, stored_count, wait_for_frames
from support.places import PROGRAMS

pytestmark = pytest.mark.mpi

RunMain = Callable[..., tuple[int, str]]

SLOW = json.dumps([{"stage": "paint", "sleep": 0.15}])
# Many times the grace period: the machine may be busy.
PATIENCE_S = 60.0


@pytest.fixture
def command(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> list[object]:
    return [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        tiny_style,
        "--cuts",
        "none",
        "--segment-length",
        "2",
        "--lookahead",
        "2",
        "--codec",
        "ffv1",
        "--threads",
        "1",
    ]


def rank_process(job: RunningJob, rank: int) -> int:
    """The process of a rank, by what its launcher told it."""
    for process in job.processes():
        words = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        pairs = (word.decode().partition("=") for word in words)
        environment = {name: value for name, _, value in pairs}
        if "PMI_RANK" in environment and launched_rank(environment) == rank:
            return process
    raise AssertionError(f"there is no rank {rank}")


def assert_stopped_and_goes_on(
    stopped: Finished,
    command: list[object],
    clip: Clip,
    style: Path,
    folder: Path,
    run_main: RunMain,
) -> None:
    assert stopped.status == EXIT_RUN_AGAIN, stopped.stderr
    assert stopped.stderr.count("stopped by") == 1 and "Traceback" not in stopped.stderr
    done = stored_count(folder / "out.h5")
    assert 0 < done < clip.frame_count and f"{done} of {clip.frame_count} frames" in stopped.stderr
    # What is encoded already may stay for the run that goes on.
    left = {path.name for path in folder.iterdir()}
    assert left in ({"out.h5"}, {"out.h5", ".out.mkv.parts"})
    status, said = run_main(*command)
    assert status == 0, said
    assert sorted(path.name for path in folder.iterdir()) == ["out.h5", "out.mkv"]
    expected = oracle.repaint(job_clips.decoded_frames(clip.path), (), load_style(str(style)))
    with RunFile(folder / "out.h5") as run:
        assert np.array_equal([run.frame(i) for i in range(run.frame_count)], expected)


def test_sigterm_to_mpirun(
    command: list[object],
    uncut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
    run_main: RunMain,
) -> None:
    with RunningJob([PROGRAMS / "patched.py"], [SLOW, *command], ranks=3) as job:
        wait_for_frames(job, tmp_path / "out.h5", 4)
        asked = time.time()
        for _ in range(3):  # batch systems repeat themselves
            job.terminate()
            time.sleep(0.05)
        stopped = job.wait()
        assert job.processes() == []
    assert stopped.ended - asked < PATIENCE_S
    assert_stopped_and_goes_on(stopped, command, uncut_clip, tiny_style, tmp_path, run_main)


def test_a_signal_to_one_rank_stops_all(
    command: list[object],
    uncut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
    run_main: RunMain,
) -> None:
    with RunningJob([PROGRAMS / "patched.py"], [SLOW, *command], ranks=3) as job:
        wait_for_frames(job, tmp_path / "out.h5", 4)
        os.kill(rank_process(job, 2), signal.SIGUSR1)
        stopped = job.wait()
    assert "SIGUSR1 on rank 2" in stopped.stderr
    assert_stopped_and_goes_on(stopped, command, uncut_clip, tiny_style, tmp_path, run_main)


def test_a_time_limit_within_the_grace_period_is_refused(
    command: list[object], run_main: RunMain
) -> None:
    status, said = run_main(*command, "--time-limit", "5")
    assert status == 2 and "--grace" in said


class Warned:
    """In the place of a communicator: asked to stop so many seconds ago."""

    def __init__(self, seconds_ago: float) -> None:
        self.stop_reason, self.stop_asked_at = "SIGTERM", time.monotonic() - seconds_ago


@pytest.mark.parametrize(
    ("seconds_ago", "passed", "left_s"),
    [(0.0, False, 1000.0), (400.0, False, 600.0), (600.0, True, 400.0), (5000.0, True, 0.0)],
)
def test_the_grace_period_counts_from_the_warning(
    seconds_ago: float, passed: bool, left_s: float
) -> None:
    """Not from when somebody looked: rank 0 may have been loading libraries meanwhile."""
    warned = Warned(seconds_ago)
    deadline = Deadline(cast(Communicator, warned), warned.stop_asked_at, None, 1000.0)
    assert deadline.reason() == "SIGTERM" and deadline.passed() == passed
    leave_by = deadline.leave_by()
    assert leave_by is not None
    assert leave_by - time.monotonic() == pytest.approx(left_s, abs=60.0)
