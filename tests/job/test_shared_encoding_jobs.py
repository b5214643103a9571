"""Whole jobs whose ranks encode parts of the video side by side, beside painting and at the end."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.encode.encoded_parts import part_folder
from fastvid.style.loading import load_style
from support import cut_off_runs, job_clips, oracle
from support.cut_off_runs import PART_FRAMES
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, run_program, stored_count
from support.places import PROGRAMS

COUNT = 23
SMALL_PARTS = {"tuning": {"part_frames": PART_FRAMES}}
# Rank 0 alone would take longer for the film than painting does on a machine with other work.
SLOW_ENCODER = {"stage": "encode", "ranks": [0], "sleep": 0.5}


def packets(path: Path) -> list[tuple[object, ...]]:
    with av.open(str(path)) as container:
        return [
            (packet.pts, packet.duration, bytes(packet))
            for packet in container.demux(video=0)
            if packet.size
        ]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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
        "--codec",
        "ffv1",
        "--threads",
        "1",
        "--log-dir",
        tmp_path / "logs",
    ]


@pytest.fixture(scope="module")
def expected(uncut_clip: Clip, tiny_style: Path) -> np.ndarray:
    return oracle.repaint(
        job_clips.decoded_frames(uncut_clip.path), (), load_style(str(tiny_style))
    )


def encoded_by_others(folder: Path) -> int:
    """Parts that other ranks than the first have encoded, as their logs say."""
    return sum(path.read_text().count(" encoded\n") for path in (folder / "logs").iterdir())


def run(rules: list[object], command: list[object], ranks: int) -> str:
    finished = run_program([PROGRAMS / "patched.py"], [json.dumps(rules), *command], ranks=ranks)
    assert finished.status == 0, finished.stderr
    return finished.stderr


@pytest.mark.mpi
@pytest.mark.parametrize(("ranks", "more"), [(2, []), (3, ["--discard-frames"])])
def test_the_video_is_the_same_whoever_encodes_it(
    ranks: int,
    more: list[object],
    command: list[object],
    expected: np.ndarray,
    uncut_clip: Clip,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out.mkv"
    assert cut_off_runs.finished(command).status == 0
    alone = packets(output)
    run([SMALL_PARTS, SLOW_ENCODER], [*command, *more, "--restart", "--overwrite"], ranks)
    assert encoded_by_others(tmp_path) >= 2
    assert packets(output) == alone
    assert np.array_equal(job_clips.decoded_frames(output), expected)
    assert job_clips.decoded_times(output) == job_clips.decoded_times(uncut_clip.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "out.h5", "out.mkv"]


@pytest.mark.mpi
def test_parts_are_encoded_while_others_are_painted(
    command: list[object], expected: np.ndarray, tmp_path: Path
) -> None:
    slow_paint = {"stage": "paint", "sleep": 0.3}
    run([SMALL_PARTS, SLOW_ENCODER, slow_paint], [*command, "--segment-length", "1"], 2)
    (log,) = (tmp_path / "logs").glob("*1*")
    lines = log.read_text().splitlines()
    encoded = [number for number, line in enumerate(lines) if line.endswith(" encoded")]
    painted = [number for number, line in enumerate(lines) if " finished: " in line]
    assert encoded and painted and encoded[0] < painted[-1]
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)


@pytest.mark.mpi
def test_each_style_is_encoded_into_its_own_video(
    command: list[object], tiny_style: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(job_clips.style_bytes(seed=5))
    run([SMALL_PARTS, SLOW_ENCODER], [*command, "--style", other], 3)
    assert encoded_by_others(tmp_path) >= 2
    mine, its = (
        job_clips.decoded_frames(tmp_path / f"out.{style.stem}.mkv")
        for style in (tiny_style, other)
    )
    assert np.array_equal(mine, expected)
    assert len(its) == len(expected) and not np.array_equal(its, expected)


@pytest.mark.mpi
def test_rank_0_does_without_a_rank_that_can_not_encode(
    command: list[object], expected: np.ndarray, tmp_path: Path
) -> None:
    """It fails in the middle of a part, some of which has arrived."""
    broken = {"stage": "encode", "ranks": [1], "call": 3, "action": "ValueError"}
    run([SMALL_PARTS, SLOW_ENCODER, broken], command, 2)
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)
    logs = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "rank 1 can't encode" in logs and "weather" in logs


@pytest.mark.mpi
@pytest.mark.parametrize("end", [RunningJob.terminate, RunningJob.kill])
def test_ended_meanwhile_and_continued(
    end: Callable[[RunningJob], object],
    command: list[object],
    expected: np.ndarray,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    slow = {"stage": "encode", "sleep": 0.3}
    with RunningJob(
        [PROGRAMS / "patched.py"], [json.dumps([SMALL_PARTS, slow]), *command], ranks=3
    ) as job:
        parts = part_folder(tmp_path / "out.mkv")
        until(
            lambda: (
                stored_count(tmp_path / "out.h5") == COUNT
                and parts.is_dir()
                and len(list(parts.glob("*.part"))) >= 2
            )
        )
        assert not job.ended()
        end(job)
        stopped = job.wait()
    assert stopped.status == (75 if end is RunningJob.terminate else stopped.status) != 0
    assert not list(parts.glob("arriving-*")) or end is RunningJob.kill
    status, said = run_main(*command)
    assert status == 0, said
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)
    assert not parts.exists()
