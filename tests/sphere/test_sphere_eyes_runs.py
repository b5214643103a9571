"""Whole runs of films with two eyes, with a region at the back: killed, continued, discarded."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.__main__ import main
from fastvid.commands.clip.sphere import SphereClip
from fastvid.sphere.projection import Sphere
from support.job_clips import decoded_frames, write_clip
from support.launching import RunningJob, run_fastvid, wait_for_frames
from support.places import PROGRAMS
from support.run_files import stored_frames

STEREO = Sphere("equirect", "top-bottom")
# Segments of 2 and a cut leave 2, 1, 2, 2 and 2 frames.
FRAMES, CUT = 9, 3


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two eyes of 128x64 without tags, and beside it the mask of a region across their backs."""
    folder = tmp_path_factory.mktemp("eyes")
    clip = SphereClip(128, 64, frame_count=FRAMES, turn=5.0)
    eyes = [clip.frame(index) for index in range(FRAMES)]
    images = [STEREO.joined([eye, np.roll(eye, 2, axis=1)]) for eye in eyes]
    write_clip(folder / "in.mkv", images, range(0, 40 * FRAMES, 40))
    (folder / "cuts.csv").write_text(f"{CUT}\n")
    mask = np.zeros((128, 128), np.uint8)
    mask[20:44, :6] = mask[84:108, :6] = 255
    mask[20:44, -9:] = mask[84:108, -7:] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    return folder / "in.mkv"


def words(film: Path, style: Path, output: Path) -> list[object]:
    return [
        *(film, "-o", output, "--style", style, "--projection", "equirect"),
        *("--stereo", "top-bottom", "--cuts", film.parent / "cuts.csv", "--codec", "ffv1"),
        *("--region", film.parent / "mask.png", "film", "feather=2", "--segment-length", "2"),
    ]


@pytest.fixture(scope="module")
def expected(film: Path, tiny_style: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The frames from one rank."""
    output = tmp_path_factory.mktemp("alone") / "out.mkv"
    command = [*words(film, tiny_style, output), "--decode", "local", "--threads", "1"]
    assert main([str(word) for word in command]) == 0
    return stored_frames(output.with_suffix(".h5"))


def kill_midway(command: list[object], output: Path) -> None:
    """Two slow ranks, killed once two frames are stored."""
    pause = output.with_name("pause")
    pause.write_text("0.2")
    with RunningJob(
        [PROGRAMS / "slow_paint.py"],
        [*command, "--threads", "1"],
        ranks=2,
        env={"FASTVID_TEST_PAUSE": str(pause)},
    ) as job:
        wait_for_frames(job, output.with_suffix(".h5"), 2)
        job.kill()


@pytest.mark.mpi
def test_the_film_shows_across_the_back_of_both_eyes(film: Path, expected: np.ndarray) -> None:
    mask = np.asarray(cv2.imread(str(film.parent / "mask.png"), cv2.IMREAD_GRAYSCALE))
    for frame, painted in zip(decoded_frames(film), expected, strict=True):
        eyes = [STEREO.eyes(picture) for picture in (painted, frame, mask)]
        for ours, eye, inside in zip(*eyes, strict=True):
            # Soft edges reach two pixels inwards, and none are at the back.
            wide = np.pad(inside, ((0, 0), (4, 4)), mode="wrap")
            whole = cv2.erode(wide, np.ones((5, 5), np.uint8))[:, 4:-4] == 255
            assert whole[:, 0].any() and whole[:, -1].any()
            np.testing.assert_array_equal(ours[whole], eye[whole])
            soft = cv2.dilate(wide, np.ones((5, 5), np.uint8))[:, 4:-4] > 0
            assert (ours[~soft] != eye[~soft]).mean() > 0.5


@pytest.mark.mpi
def test_a_killed_run_goes_on_with_the_same_bytes(
    film: Path, tiny_style: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    command = words(film, tiny_style, output)
    kill_midway(command, output)
    finished = run_fastvid(*command, "--decode", "local", ranks=3)
    assert finished.status == 0 and "continuing" in finished.stderr + finished.stdout
    np.testing.assert_array_equal(stored_frames(output.with_suffix(".h5")), expected)


@pytest.mark.mpi
def test_discarded_frames_are_in_the_film(
    film: Path,
    tiny_style: Path,
    expected: np.ndarray,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    output = tmp_path / "out.mkv"
    command = [*words(film, tiny_style, output), "--discard-frames"]
    kill_midway(command, output)
    status, said = run_main(*command, "--threads", "1")
    assert status == 0, said
    np.testing.assert_array_equal(decoded_frames(output), expected)
