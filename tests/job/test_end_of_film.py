"""Towards its end a film is dealt and encoded in smaller pieces; its bytes do not depend on it."""

import json
import re
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.cut_off_runs import SLOW_PAINT, wait_for
from support.job_clips import Clip
from support.launching import RunningJob, run_fastvid, run_program, stored_count
from support.places import PROGRAMS

pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def expected(cut_clip: Clip, tiny_style: Path) -> np.ndarray:
    frames = job_clips.decoded_frames(cut_clip.path)
    return oracle.repaint(frames, cut_clip.cuts, load_style(str(tiny_style)))


def command(clip: Clip, style: Path, output: Path, *more: object) -> list[object]:
    cuts: list[object] = ["--cuts", clip.cuts_option, "--threads", "1", "--segment-length", "5"]
    return [clip.path, "-o", output, "--style", style, *cuts, *more]


def frames_and_rows(path: Path) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The frames of a run, and the segments that its table tells of."""
    with RunFile(path) as run:
        assert run.complete and run.stored.all()
        rows = [(int(row["start"]), int(row["stop"])) for row in run.segments()]
        return np.stack([run.frame(index) for index in range(run.frame_count)]), rows


@pytest.mark.parametrize(("ranks", "stored", "ranks_afterwards"), [(3, 15, 2), (2, 22, 4)])
def test_killed_near_the_end_and_continued_by_others(
    ranks: int,
    stored: int,
    ranks_afterwards: int,
    cut_clip: Clip,
    tiny_style: Path,
    expected: np.ndarray,
    tmp_path: Path,
) -> None:
    """The segments of each number of ranks are others. Every frame is in one row of the table: none
    has taken the place of another."""
    words = command(cut_clip, tiny_style, tmp_path / "out.mkv", "--codec", "ffv1")
    run_path = tmp_path / "out.h5"
    with RunningJob(
        [PROGRAMS / "patched.py"], [json.dumps([SLOW_PAINT]), *words], ranks=ranks
    ) as job:
        wait_for(job, lambda: stored_count(run_path) >= stored)
        job.kill()
    assert stored <= stored_count(run_path) < len(expected)
    finished = run_fastvid(*words, ranks=ranks_afterwards)
    assert finished.status == 0, finished.stderr
    frames, rows = frames_and_rows(run_path)
    assert np.array_equal(frames, expected)
    covered = [index for start, stop in rows for index in range(start, stop)]
    assert sorted(covered) == list(range(len(expected)))
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)


@pytest.mark.parametrize("ranks", [1, 3])
def test_segments_are_shorter_at_the_beginning_and_the_end(
    ranks: int, cut_clip: Clip, tiny_style: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    """On three ranks longer by one every six frames, then a 4.5th of what is left, at most five and
    within shots of 12, 1 and 17."""
    words = command(cut_clip, tiny_style, tmp_path / "out.mkv", "--codec", "ffv1")
    finished = run_fastvid(*words, ranks=ranks)
    assert finished.status == 0, finished.stderr
    frames, rows = frames_and_rows(tmp_path / "out.h5")
    lengths = {
        1: [5, 5, 2, 1, 5, 5, 5, 2],
        3: [*[1] * 6, 2, 2, 2, 1, 3, 3, 2, 2, *[1] * 7],
    }
    stops = list(accumulate(lengths[ranks]))
    assert rows == list(zip([0, *stops[:-1]], stops, strict=True))
    assert np.array_equal(frames, expected)


def test_the_video_ends_in_shorter_parts_whoever_encodes_them(
    cut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    """Of 30 frames a quarter, and then six; the ranks say which they have encoded."""
    packets = []
    # Rank 0 alone would take longer than the others for the painting.
    slow = {"stage": "encode", "ranks": [0], "sleep": 0.5}
    for ranks in (1, 4):
        output = tmp_path / f"{ranks}.mkv"
        more = ["--codec", "ffv1", "--log-dir", tmp_path / f"logs{ranks}"]
        words = command(cut_clip, tiny_style, output, *more)
        rules = [slow] if ranks > 1 else []
        finished = run_program([PROGRAMS / "patched.py"], [json.dumps(rules), *words], ranks=ranks)
        assert finished.status == 0, finished.stderr
        with av.open(str(output)) as container:
            found = [packet for packet in container.demux(video=0) if packet.size]
            packets.append([(packet.pts, bytes(packet)) for packet in found])
    assert packets[1] == packets[0]
    logs = "".join(path.read_text() for path in (tmp_path / "logs4").iterdir())
    encoded = re.findall(r"frames (\d+) to (\d+) encoded\n", logs)
    parts = {("0", "6"), ("7", "12"), ("13", "18"), ("19", "24"), ("25", "29")}
    assert len(encoded) >= 2 and set(encoded) <= parts
