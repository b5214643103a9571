"""Runs with regions: the film's pixels stay the film's, whoever computes what, whatever happens."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.__main__ import main
from support import job_clips
from support.job_clips import Clip
from support.launching import RunningJob, run_fastvid, wait_for_frames
from support.places import PROGRAMS
from support.run_files import stored_frames

RunMain = Callable[..., tuple[int, str]]
SHAPE = (job_clips.HEIGHT, job_clips.WIDTH)


def in_parts(clip: Clip, region_styles: list[Path], patch: Path, stripe: Path) -> list[object]:
    """Two outputs, on a style and on the film, with a region of the film and a painted one."""
    return [
        *(clip.path, "--cuts", clip.cuts_option, "--codec", "ffv1"),
        *("--style", region_styles[0], "--style", "film", "--region", stripe, region_styles[1]),
        *("strength=0.8", "--region", patch, "film", "feather=1"),
    ]


@pytest.fixture(scope="module")
def expected(
    cut_clip: Clip,
    region_styles: list[Path],
    patch_folder: Path,
    stripe_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, np.ndarray]:
    """The frames of both outputs, from one rank."""
    folder = tmp_path_factory.mktemp("one")
    words = in_parts(cut_clip, region_styles, patch_folder, stripe_folder)
    assert main([*map(str, words), "-o", str(folder / "out.mkv"), "--threads", "1"]) == 0
    return {name: stored_frames(folder / f"out.{name}.h5") for name in ("look5", "film")}


def test_the_film_stays_the_film(
    cut_clip: Clip, patch_masks: list[np.ndarray], expected: dict[str, np.ndarray]
) -> None:
    films = job_clips.decoded_frames(cut_clip.path)
    beyond = np.ones((3, 3), np.uint8)
    for number, (film, mask) in enumerate(zip(films, patch_masks, strict=True)):
        kept = cv2.erode(mask, beyond) > 0
        assert kept.any()
        for name in expected:
            assert np.array_equal(expected[name][number][kept], film[kept])
        # On the film, all but the stripe is the film, and the stripe is only there for a while.
        rest = np.ones(SHAPE, bool)
        if 5 <= number < 25:
            rest[:, 40:52] = False
        feather = np.ones((5, 5), np.uint8)
        rest = cv2.erode(rest.astype(np.uint8), feather) > 0
        assert np.array_equal(expected["film"][number][rest], film[rest])
        assert (
            expected["look5"][number][~(cv2.dilate(mask, feather) > 0)]
            != film[~(cv2.dilate(mask, feather) > 0)]
        ).mean() > 0.5
    painted = expected["film"][10][:, 42:50] != films[10][:, 42:50]
    assert painted.mean() > 0.3


@pytest.mark.mpi
@pytest.mark.parametrize(("ranks", "decode"), [(2, "local"), (4, "rank0")])
def test_any_number_of_ranks_gives_the_same_bytes(
    cut_clip: Clip,
    region_styles: list[Path],
    patch_folder: Path,
    stripe_folder: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
    ranks: int,
    decode: str,
) -> None:
    words = in_parts(cut_clip, region_styles, patch_folder, stripe_folder)
    more = ("-o", tmp_path / "out.mkv", "--decode", decode, "--keep", "regions")
    finished = run_fastvid(*words, *more, ranks=ranks)
    assert finished.status == 0, finished.stderr
    for name, frames in expected.items():
        assert np.array_equal(stored_frames(tmp_path / f"out.{name}.h5"), frames)


@pytest.mark.mpi
def test_a_killed_run_goes_on_with_the_same_bytes(
    cut_clip: Clip,
    region_styles: list[Path],
    patch_folder: Path,
    stripe_folder: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    words = in_parts(cut_clip, region_styles, patch_folder, stripe_folder)
    words += ["-o", tmp_path / "out.mkv", "--threads", "1"]
    pause = tmp_path / "pause"
    pause.write_text("0.1")
    environment = {"FASTVID_TEST_PAUSE": str(pause)}
    with RunningJob([PROGRAMS / "slow_paint.py"], words, ranks=2, env=environment) as job:
        wait_for_frames(job, tmp_path / "out.look5.h5", 6)
        job.kill()
    finished = run_fastvid(*words, "--decode", "local", ranks=3)
    assert finished.status == 0 and "continuing" in finished.stderr + finished.stdout
    for name, frames in expected.items():
        assert np.array_equal(stored_frames(tmp_path / f"out.{name}.h5"), frames)


def test_regions_that_cover_the_picture_are_the_picture(
    uncut_clip: Clip, region_styles: list[Path], run_main: RunMain, tmp_path: Path
) -> None:
    """An all-white mask, an all-black one, and two halves of one look."""
    common = ("--cuts", "none", "--codec", "ffv1", "--threads", "1")
    for name, level in (("white", 255), ("black", 0)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full(SHAPE, level, np.uint8))
    half = np.zeros(SHAPE, np.uint8)
    half[:, 30:] = 255
    half[20:, 10:] = 255
    cv2.imwrite(str(tmp_path / "half.png"), half)
    look, film = region_styles[0], "film"
    runs: dict[str, tuple[object, ...]] = {
        "plain": ("--style", look),
        "white": ("--style", film, "--region", tmp_path / "white.png", look),
        "black": ("--style", film, "--region", tmp_path / "black.png", look),
        "halves": (
            *("--style", film, "--region", tmp_path / "half.png", look, "feather=3"),
            *("--region", tmp_path / "half.png", look, "feather=3", "invert"),
        ),
        "under": ("--style", region_styles[1], "--region", tmp_path / "black.png", film, "invert"),
    }
    made = {}
    for name, words in runs.items():
        status, err = run_main(uncut_clip.path, "-o", tmp_path / f"{name}.mkv", *words, *common)
        assert status == 0, err
        assert ("is empty in every frame" in err) == (name == "black")
        made[name] = stored_frames(tmp_path / f"{name}.h5")
    films = np.stack(job_clips.decoded_frames(uncut_clip.path))
    assert np.array_equal(made["white"], made["plain"])
    assert np.array_equal(made["halves"], made["plain"])
    assert np.array_equal(made["black"], films) and np.array_equal(made["under"], films)


def test_a_part_of_the_film_takes_its_masks_and_discards_its_frames(
    cut_clip: Clip, region_styles: list[Path], patch_folder: Path, run_main: RunMain, tmp_path: Path
) -> None:
    words = ("--cuts", "none", "--codec", "ffv1", "--threads", "1", "--style", region_styles[0])
    more = ("--region", patch_folder, "film", "feather=0", "--frames", "14:22")
    output = tmp_path / "out.mkv"
    status, err = run_main(cut_clip.path, "-o", output, *words, *more, "--discard-frames")
    assert status == 0, err
    films = job_clips.decoded_frames(cut_clip.path)
    for number, image in enumerate(job_clips.decoded_frames(output), 14):
        mask = cv2.imread(str(patch_folder / f"{number:05d}.png"), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(image[mask == 255], films[number][mask == 255])
        assert (image[mask == 0] != films[number][mask == 0]).mean() > 0.5
