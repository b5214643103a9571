"""A run that was cut off is continued by the same command, on any number of ranks."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastvid.__main__ import main
from fastvid.errors import InputError
from fastvid.runfile.reader import RunFile
from fastvid.stages.temporal import DEFAULT_STRENGTH
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, run_fastvid, run_program, stored_count
from support.places import PROGRAMS
from support.run_files import stored_frames

pytestmark = pytest.mark.mpi

RunMain = Callable[..., tuple[int, str]]

SLOW = json.dumps([{"stage": "paint", "sleep": 0.08}])


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
        "3",
        "--lookahead",
        "2",
        "--codec",
        "ffv1",
    ]


@pytest.fixture(scope="module")
def expected(uncut_clip: Clip, tiny_style: Path) -> np.ndarray:
    return oracle.repaint(
        job_clips.decoded_frames(uncut_clip.path), (), load_style(str(tiny_style))
    )


def wait_until(condition: Callable[[], bool], job: RunningJob) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert not job.ended() and time.monotonic() < deadline, job.wait().stderr
        time.sleep(0.02)


def encoded_count(path: Path) -> int:
    """Frames that a run has encoded and freed."""
    try:
        with RunFile(path) as run:
            return int(run.encoded.sum())
    except InputError:
        return 0


def kill_midway(
    arguments: list[object],
    run_path: Path,
    ranks: int,
    frames: int = 6,
    count: Callable[[Path], int] = stored_count,
    rules: str = SLOW,
) -> int:
    """Starts a slow run, kills all its processes once some frames are stored; how many are."""
    with RunningJob(
        [PROGRAMS / "patched.py"], [rules, *arguments, "--threads", "1"], ranks=ranks
    ) as job:
        wait_until(lambda: count(run_path) >= frames, job)
        job.kill()
    return stored_count(run_path)


@pytest.mark.parametrize(("ranks", "ranks_afterwards"), [(1, 3), (3, 1)])
def test_killed_and_continued(
    ranks: int,
    ranks_afterwards: int,
    command: list[object],
    expected: np.ndarray,
    uncut_clip: Clip,
    tmp_path: Path,
) -> None:
    run_path = tmp_path / "out.h5"
    stored = kill_midway(command, run_path, ranks)
    assert 6 <= stored < len(expected)
    assert not (tmp_path / "out.mkv").exists()
    finished = run_fastvid(*command, ranks=ranks_afterwards)
    assert finished.status == 0, finished.stderr
    assert f"{stored} of {len(expected)} frames are there" in finished.stderr
    assert np.array_equal(stored_frames(run_path), expected)
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)
    assert job_clips.decoded_times(tmp_path / "out.mkv") == job_clips.decoded_times(uncut_clip.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5", "out.mkv"]


# Parts of 5 frames, so that a short clip has some.
SMALL_PARTS = {"tuning": {"part_frames": 5}}


def test_discarded_frames_are_in_the_output(
    command: list[object], expected: np.ndarray, uncut_clip: Clip, tmp_path: Path
) -> None:
    """Killed and continued: the frames that are freed by then are in parts of the video."""
    run_path, output = tmp_path / "out.h5", tmp_path / "out.mkv"
    command = [*command, "--discard-frames"]
    slow = json.dumps([SMALL_PARTS, *json.loads(SLOW)])
    stored = kill_midway(command, run_path, 2, frames=5, count=encoded_count, rules=slow)
    encoded = encoded_count(run_path)
    assert 5 <= encoded <= stored < len(expected) and encoded % 5 == 0
    finished = run_program(
        [PROGRAMS / "patched.py"],
        [json.dumps([SMALL_PARTS]), *command, "--threads", "1"],
        ranks=2,
    )
    assert finished.status == 0, finished.stderr
    assert np.array_equal(job_clips.decoded_frames(output), expected)
    assert job_clips.decoded_times(output) == job_clips.decoded_times(uncut_clip.path)
    assert encoded_count(run_path) == len(expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5", "out.mkv"]


@pytest.fixture(scope="module")
def complete_run(
    uncut_clip: Clip, tiny_style: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[object]:
    """The command of a run that is complete; tests must leave it so."""
    folder = tmp_path_factory.mktemp("complete")
    command: list[object] = [
        uncut_clip.path,
        "-o",
        folder / "out.mkv",
        "--style",
        tiny_style,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        "--threads",
        "1",
    ]
    assert main([str(word) for word in command]) == 0
    return command


def test_a_complete_run_says_so(complete_run: list[object], run_main: RunMain) -> None:
    output = Path(str(complete_run[2]))
    before = output.read_bytes()
    status, said = run_main(*complete_run)
    assert status == 0 and "complete" in said and "--restart" in said
    assert output.read_bytes() == before


def test_the_output_is_made_again_from_a_complete_run(
    complete_run: list[object], expected: np.ndarray, run_main: RunMain
) -> None:
    """Nothing is computed for it."""
    output = Path(str(complete_run[2]))
    output.unlink()
    status, said = run_main(*complete_run)
    assert status == 0 and "23 of 23 frames are there" in said, said
    assert np.array_equal(job_clips.decoded_frames(output), expected)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--temporal-strength", "0.5"], f"--temporal-strength was {DEFAULT_STRENGTH}, is 0.5"),
        (["--flow", "farneback"], "--flow was dis-medium, is farneback"),
        (["--frames", "0:9"], "--frames"),
        (["--size", "32x24"], "the size of the frames"),
        (["--keep-colors", "--strength", "0.5"], "--strength was 1.0, is 0.5"),
    ],
)
def test_changed_settings_are_refused(
    change: list[str],
    named: str,
    complete_run: list[object],
    run_main: RunMain,
) -> None:
    status, message = run_main(*complete_run, *change)
    assert status == 2
    assert named in message and "--restart" in message and "--run-file" in message


def test_another_style_is_refused(
    complete_run: list[object], tmp_path: Path, run_main: RunMain
) -> None:
    other = tmp_path / "tiny.pt"
    other.write_bytes(job_clips.style_bytes(seed=9))
    command = [other if word == complete_run[4] else word for word in complete_run]
    status, message = run_main(*command)
    assert status == 2 and "the style is another" in message


def test_restart_starts_over(
    command: list[object],
    expected: np.ndarray,
    tmp_path: Path,
    run_main: RunMain,
) -> None:
    assert run_main(*command, "--threads", "1", "--temporal-strength", "0")[0] == 0
    run_path = tmp_path / "out.h5"
    assert not np.array_equal(stored_frames(run_path), expected)
    status, message = run_main(*command, "--threads", "1", "--restart", "--overwrite")
    assert status == 0, message
    assert np.array_equal(stored_frames(run_path), expected)


def test_threads_come_from_the_run_file(
    command: list[object],
    expected: np.ndarray,
    tmp_path: Path,
    run_main: RunMain,
) -> None:
    """The bytes depend on them, and the cores of a rank may be others the next time."""
    run_path = tmp_path / "out.h5"
    assert kill_midway(command, run_path, ranks=0) < len(expected)
    status, message = run_main(*command)
    assert status == 0, message
    assert np.array_equal(stored_frames(run_path), expected)
    with RunFile(run_path) as run:
        assert run.settings["threads"] == 1


def test_a_second_run_at_the_same_time_is_refused(
    command: list[object], tmp_path: Path, run_main: RunMain
) -> None:
    run_path = tmp_path / "out.h5"
    with RunningJob(
        [PROGRAMS / "patched.py"], [SLOW, *command, "--threads", "1"], ranks=0
    ) as first:
        wait_until(lambda: stored_count(run_path) > 0, first)
        status, message = run_main(*command, "--threads", "1")
        assert status == 2 and "still going" in message and "--run-file" in message
        finished = first.wait()
    assert finished.status == 0, finished.stderr


def test_a_time_limit_stops_in_good_order(
    command: list[object],
    expected: np.ndarray,
    tmp_path: Path,
    run_main: RunMain,
) -> None:
    status, message = run_main(*command, "--threads", "1", "--time-limit", "0.4", "--grace", "0.3")
    assert status == 75 and "time limit" in message
    assert not (tmp_path / "out.mkv").exists()
    status, message = run_main(*command, "--threads", "1")
    assert status == 0, message
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected)
