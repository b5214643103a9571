"""Strokes of a wanted size in whole runs: the bytes on several ranks, evaluation, the plan."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.__main__ import main
from fastvid.commands.evaluate.run import evaluate_run
from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from fastvid.style.painter import Painter
from support import job_clips
from support.launching import run_fastvid

FRAMES = 7
# `run_fastvid` gives every rank one thread.
ALONE = ("--threads", "1")


@pytest.fixture(scope="module")
def large_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twice the size of the usual scenes: `--stroke 2` paints it at theirs."""
    size = (2 * job_clips.WIDTH, 2 * job_clips.HEIGHT)
    images = [cv2.resize(image, size) for image in job_clips.uncut_scenes()[:FRAMES]]
    path = tmp_path_factory.mktemp("large") / "large.mkv"
    return job_clips.write_clip(path, images, job_clips.uneven_times(FRAMES))


def options(stroke: float) -> list[str]:
    return f"--stroke {stroke} --cuts none --codec ffv1 --segment-length 2".split()


def frames_of(path: Path) -> np.ndarray:
    with RunFile(path) as run:
        assert run.settings["stroke"] == 2.0
        return np.stack([run.frame(index) for index in range(run.frame_count)])


@pytest.mark.mpi
def test_the_same_bytes_on_three_ranks(
    large_clip: Path,
    tiny_style: Path,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    one, three = tmp_path / "one.mkv", tmp_path / "three.mkv"
    style = ["--style", str(tiny_style)]
    assert run_main(large_clip, "-o", one, *style, *options(2), *ALONE)[0] == 0
    finished = run_fastvid(large_clip, "-o", three, *style, *options(2), ranks=3)
    assert finished.status == 0, finished.stderr
    frames = frames_of(one.with_suffix(".h5"))
    assert np.array_equal(frames, frames_of(three.with_suffix(".h5")))
    first = job_clips.decoded_frames(large_clip)[0]
    painter = Painter(load_style(str(tiny_style)), 2.0)
    assert np.array_equal(frames[0], painter.paint([first])[0])
    one.unlink()
    status, message = run_main(large_clip, "-o", one, *style, *options(1), *ALONE)
    assert status == 2 and "--stroke was 2.0, is none (painted" in message


def test_evaluation_paints_at_the_same_size(
    large_clip: Path,
    tiny_style: Path,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    """Frame by frame the run is what it is compared with."""
    output = tmp_path / "out.mkv"
    words = ["--style", tiny_style, *options(2), "--temporal-strength", "0", *ALONE]
    assert run_main(large_clip, "-o", output, *words)[0] == 0
    judged = evaluate_run(
        output.with_suffix(".h5"),
        large_clip,
        judge="farneback",
        style=str(tiny_style),
        with_painting=True,
        limit=3,
        threads=1,
    )
    assert judged.painted == judged.output


def test_a_plan_says_what_is_painted(
    large_clip: Path, tiny_style: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [
        "plan",
        str(large_clip),
        "--style",
        str(tiny_style),
        "--ranks",
        "1",
        *options(2),
        *ALONE,
    ]
    assert main(words) == 0
    assert "painted at: 64x48, brought to the film's size" in capfd.readouterr().out
