"""Who is silent is not always dead: suspended jobs, ranks that load, disks that do not answer."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastvid.errors import EXIT_RUN_AGAIN
from fastvid.parallel.mpi.launch import launched_rank
from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import Finished, RunningJob, wait_for_frames
from support.places import PROGRAMS

pytestmark = pytest.mark.mpi

# Far more than a busy machine keeps a rank waiting, and less than what follows.
TIMEOUT_S = 6.0
LONGER_S = 10.0
NEVER_S = 3600.0
SLOW = {"stage": "paint", "sleep": 0.4}


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
        "--codec",
        "ffv1",
        "--rank-timeout",
        TIMEOUT_S,
        "--threads",
        "1",
    ]


def patched(rules: list[dict[str, Any]], command: list[object], ranks: int) -> RunningJob:
    return RunningJob([PROGRAMS / "patched.py"], [json.dumps(rules), *command], ranks=ranks)


def rank_processes(job: RunningJob) -> list[int]:
    """The processes of all ranks, by what their launcher told them; in rank order."""
    found = {}
    for process in job.processes():
        words = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        pairs = (word.decode().partition("=") for word in words)
        environment = {name: value for name, _, value in pairs}
        if "PMI_RANK" in environment:
            found[launched_rank(environment)] = process
    return [found[rank] for rank in sorted(found)]


def assert_right(finished: Finished, clip: Clip, style: Path, folder: Path) -> None:
    assert finished.status == 0, finished.stderr
    expected = oracle.repaint(job_clips.decoded_frames(clip.path), (), load_style(str(style)))
    with RunFile(folder / "out.h5") as run:
        assert np.array_equal([run.frame(i) for i in range(run.frame_count)], expected)


def test_a_suspended_job_goes_on_when_it_is_resumed(
    command: list[object], uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    """All ranks are stopped for longer than a silent rank is waited for."""
    with patched([SLOW], command, ranks=3) as job:
        wait_for_frames(job, tmp_path / "out.h5", 4)
        processes = rank_processes(job)
        assert len(processes) == 3
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        time.sleep(LONGER_S)
        for process in processes:
            os.kill(process, signal.SIGCONT)
        finished = job.wait()
    assert_right(finished, uncut_clip, tiny_style, tmp_path)


@pytest.mark.parametrize("late", [0, 1])
def test_a_rank_that_loads_libraries_is_not_dead(
    late: int, command: list[object], uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    # So slow that the others do not get through before.
    slow = {"stage": "paint", "sleep": 1.5}
    rules = [slow, {"stage": "load", "ranks": [late], "sleep": LONGER_S}]
    with patched(rules, command, ranks=3) as job:
        finished = job.wait()
    assert_right(finished, uncut_clip, tiny_style, tmp_path)


@pytest.mark.parametrize(("stage", "call"), [("store", 3), ("read", 1)])
def test_a_disk_that_does_not_answer_for_long_ends_nothing(
    stage: str,
    call: int,
    command: list[object],
    uncut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
) -> None:
    """A run that is continued begins with a frame that it reads back: all ranks wait for it."""
    stall = {"stage": stage, "call": call, "action": "stall-disk", "seconds": LONGER_S}
    fail = {"stage": "paint", "ranks": [1], "call": 6, "action": "ValueError"}
    with patched([SLOW, fail], command, ranks=2) as job:
        assert job.wait().status == 1
    with patched([{"stage": "paint", "sleep": 0.1}, stall], command, ranks=3) as job:
        finished = job.wait()
    assert "frames are there" in finished.stderr
    assert_right(finished, uncut_clip, tiny_style, tmp_path)


def test_an_error_is_told_while_the_disk_does_not_answer(
    command: list[object], tmp_path: Path
) -> None:
    at = tmp_path / "stalled-at"
    rules: list[dict[str, Any]] = [
        {"tuning": {"end_s": 3.0}},
        {"stage": "paint", "sleep": 0.1},
        {
            "stage": "store",
            "call": 2,
            "action": "stall-disk",
            "seconds": NEVER_S,
            "at": str(at),
        },
        {"stage": "blend", "ranks": [1], "call": 6, "action": "InputError"},
    ]
    with patched(rules, command, ranks=2) as job:
        finished = job.wait()
        assert job.processes() == []
    assert at.exists()
    assert finished.status == 2, finished.stderr
    assert finished.stderr.count("fastvid: error:") == 1
    assert "the film is too sad" in finished.stderr


def test_a_warning_is_heard_while_the_disk_does_not_answer(
    command: list[object], tmp_path: Path
) -> None:
    """Within the grace period: whoever has warned kills what is left behind it."""
    at = tmp_path / "stalled-at"
    stall = {"stage": "store", "call": 2, "action": "stall-disk", "seconds": NEVER_S}
    rules = [SLOW, {**stall, "at": str(at)}]
    with patched(rules, [*command, "--grace", "8"], ranks=2) as job:
        while not at.exists():
            assert not job.ended()
            time.sleep(0.02)
        job.terminate()
        finished = job.wait()
        assert job.processes() == []
    assert finished.status == EXIT_RUN_AGAIN, finished.stderr
    assert finished.stderr.count("stopped by") == 1
