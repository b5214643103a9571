"""Whatever goes wrong on whatever rank: all ranks are gone soon, and there is one clear message."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastvid.errors import EXIT_SILENT
from fastvid.runfile.reader import RunFile
from support.job_clips import Clip
from support.launching import Finished, RunningJob, run_program
from support.places import PROGRAMS

pytestmark = pytest.mark.mpi

RunMain = Callable[..., tuple[int, str]]

# The promise is 10 s on a machine of one's own; tests share theirs.
ALL_GONE_WITHIN_S = 30.0


def assert_gone_soon(finished: Finished, at: Path) -> None:
    """at: where the failing rank wrote when it failed."""
    seconds = finished.ended - float(at.read_text())
    assert seconds < ALL_GONE_WITHIN_S
    print(f"all ranks were gone after {seconds:.1f} s")


def patched(rules: list[dict[str, Any]], *arguments: object, ranks: int) -> Finished:
    """fastvid with the rules of programs/patched.py; every process of it is gone afterwards."""
    with RunningJob(
        [PROGRAMS / "patched.py"], [json.dumps(rules), *arguments, "--threads", "1"], ranks=ranks
    ) as job:
        finished = job.wait()
        assert job.processes() == []
    return finished


@pytest.fixture
def command(cut_clip: Clip, tiny_style: Path, tmp_path: Path) -> list[object]:
    return [
        cut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        tiny_style,
        "--cuts",
        cut_clip.cuts_option,
        "--segment-length",
        "2",
        "--codec",
        "ffv1",
        "--lookahead",
        "2",
    ]


# Slow enough that every rank gets its share.
SLOW = {"stage": "paint", "sleep": 0.05}


@pytest.mark.parametrize(
    ("action", "rank", "stage", "status", "words"),
    [
        ("ValueError", 1, "paint", 1, ["ValueError: the weather is bad", "paint of frame"]),
        ("ValueError", 0, "motion", 1, ["ValueError: the weather is bad", "motion of frame"]),
        ("exit", 2, "paint", 1, ["paint of frame", "SystemExit"]),
        ("MemoryError", 2, "blend", 1, ["blend of frame", "out of memory", "--segment-length"]),
        ("InputError", 1, "motion", 2, ["motion of frame", "the film is too sad"]),
    ],
)
def test_an_error_in_a_stage_ends_the_job(
    action: str,
    rank: int,
    stage: str,
    status: int,
    words: list[str],
    command: list[object],
    tmp_path: Path,
) -> None:
    at = tmp_path / "failed-at"
    rules = [SLOW, {"stage": stage, "ranks": [rank], "call": 2, "action": action, "at": str(at)}]
    finished = patched(rules, *command, ranks=max(rank + 1, 2))
    assert finished.status == status, finished.stderr
    assert_gone_soon(finished, at)
    message = finished.stderr
    assert message.count("fastvid: error:") == 1
    for word in [*words, f"rank {rank} on {socket.gethostname()}"]:
        assert word in message
    assert not (tmp_path / "out.mkv").exists()
    leftovers = {path.name for path in tmp_path.iterdir()} - {"out.h5", "failed-at"}
    assert not leftovers


def test_what_was_finished_before_an_error_is_kept(
    command: list[object], run_main: RunMain, tmp_path: Path
) -> None:
    """The run file opens, holds whole segments, and the same command goes on from there."""
    rules = [SLOW, {"stage": "paint", "ranks": [1], "call": 8, "action": "ValueError"}]
    assert patched(rules, *command, ranks=2).status == 1
    with RunFile(tmp_path / "out.h5") as run:
        stored = np.flatnonzero(run.stored)
        assert 0 < len(stored) < 30 and not run.complete
    status, said = run_main(*command, "--threads", "1")
    assert status == 0 and f"{len(stored)} of 30 frames are there" in said, said


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_rank_ends_the_job(
    victim: int, command: list[object], run_main: RunMain, tmp_path: Path
) -> None:
    at = tmp_path / "failed-at"
    rules = [
        SLOW,
        {"stage": "paint", "ranks": [victim], "call": 3, "action": "kill", "at": str(at)},
    ]
    finished = patched(rules, *command, ranks=3)
    assert finished.status != 0
    assert_gone_soon(finished, at)
    assert not (tmp_path / "out.mkv").exists()
    # Nobody could tidy up, but the next run can, and the run file is whole.
    with RunFile(tmp_path / "out.h5") as run:
        assert not run.complete
    status, said = run_main(*command, "--threads", "1")
    assert status == 0, said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failed-at", "out.h5", "out.mkv"]


def test_a_frozen_rank_is_noticed(command: list[object], tmp_path: Path) -> None:
    """A stopped process sends nothing and does not die: silence is what tells."""
    at = tmp_path / "failed-at"
    rules = [SLOW, {"stage": "paint", "ranks": [1], "call": 3, "action": "freeze", "at": str(at)}]
    finished = patched(rules, *command, "--rank-timeout", "3", ranks=2)
    assert finished.status == EXIT_SILENT
    assert_gone_soon(finished, at)
    assert f"rank 1 on {socket.gethostname()}" in finished.stderr
    assert "has been silent" in finished.stderr and "last heard of" in finished.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 80 MB of its own (a run asks for a reserve of 64 MB)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_keeps_what_was_done(
    uncut_clip: Clip, tiny_style: Path, small_disk: Path, run_main: RunMain
) -> None:
    output, run_path = small_disk / "out.mkv", small_disk / "out.h5"
    command = [
        uncut_clip.path,
        "-o",
        output,
        "--style",
        tiny_style,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
    ]
    rules = [SLOW, {"stage": "paint", "call": 15, "action": "fill-disk", "folder": str(small_disk)}]
    finished = patched(rules, *command, ranks=0)
    assert finished.status == 1
    assert finished.stderr.count("fastvid: error:") == 1
    assert "No space left on device" in finished.stderr
    assert "make room and start the same command again" in finished.stderr
    with RunFile(run_path) as run:
        stored = np.flatnonzero(run.stored).tolist()
        assert len(stored) >= 8
        frames = {index: run.frame(index) for index in stored}
    (small_disk / "filler").unlink()
    status, said = run_main(*command, "--threads", "1")
    assert status == 0, said
    with RunFile(run_path) as run:
        assert run.complete
        for index, frame in frames.items():
            assert np.array_equal(run.frame(index), frame)


def test_an_error_before_the_job_comes_once(tmp_path: Path) -> None:
    finished = run_program(
        ["-m", "fastvid"], [tmp_path / "none.mp4", "-o", tmp_path / "out.mp4"], ranks=3
    )
    assert finished.status == 2
    assert finished.stderr.count("none.mp4") == 1
    assert list(tmp_path.iterdir()) == []
