"""Runs that make masks: the same on any ranks, within shots, and ready for --region."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import fastvid
from fastvid.masking.network import MaskNetwork
from fastvid.runfile.reader import RunFile
from support import job_clips
from support.job_clips import Clip
from support.launching import RunningJob, run_fastvid, wait_for_frames
from support.places import DATA

RunMain = Callable[..., tuple[int, str]]
SHAPE = (job_clips.HEIGHT, job_clips.WIDTH)
NETWORK = DATA / "person" / "selfie_segmentation_landscape.tflite"


@pytest.fixture(scope="module")
def seeds(material: Path) -> list[Path]:
    """Cut-outs of the patch in frames 2 and 20 of the cut clip."""
    paths = []
    for frame, left in ((2, 8), (20, 18)):
        mask = np.zeros(SHAPE, np.uint8)
        mask[14:30, left : left + 16] = 255
        paths.append(material / f"seed_{frame:04d}.png")
        cv2.imwrite(str(paths[-1]), mask)
    return paths


def masks_in(folder: Path) -> np.ndarray:
    pictures = [cv2.imread(str(path)) for path in sorted(folder.glob("*.png"))]
    levels = np.stack([np.asarray(picture) for picture in pictures])
    assert (levels == levels[..., :1]).all()
    return levels[..., 0]


@pytest.fixture(scope="module")
def expected(
    cut_clip: Clip, seeds: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> np.ndarray:
    """From one rank, a program of its own: what it says comes at its end."""
    folder = tmp_path_factory.mktemp("masks") / "patch"
    words = ["mask", cut_clip.path, "-o", folder, "--cuts", cut_clip.cuts_option]
    finished = run_fastvid(*words, "--seed", seeds[0], "--seed", seeds[1], ranks=0)
    assert finished.status == 0, finished.stderr
    said = finished.stdout + finished.stderr
    assert "shot 0, frames 0-11: no mask before its first seed, 2" in said
    assert "shot 1, frames 12-12, has no seed: no mask" in said
    assert len(job_clips.decoded_frames(folder.with_name("patch.mp4"))) == cut_clip.frame_count
    return masks_in(folder)


def test_masks_begin_with_a_seed_and_end_with_the_shot(expected: np.ndarray) -> None:
    shown = np.asarray(expected.any(axis=(1, 2)))
    assert not shown[:2].any() and shown[2] and not shown[12:20].any() and shown[20]
    truth = np.zeros(SHAPE, bool)
    truth[14:30, 8:24] = True
    inside = expected[2] > 127
    assert (inside & truth).sum() / (inside | truth).sum() > 0.8


@pytest.mark.mpi
def test_masks_are_the_same_on_any_ranks_and_after_a_kill(
    cut_clip: Clip, seeds: list[Path], expected: np.ndarray, tmp_path: Path
) -> None:
    words = ["mask", cut_clip.path, "-o", tmp_path / "patch", "--cuts", cut_clip.cuts_option]
    words += ["--seed", f"2={seeds[0]}", "--seed", seeds[1], "--threads", "1"]
    with RunningJob(["-m", "fastvid"], words, ranks=2) as job:
        wait_for_frames(job, tmp_path / "patch.h5", 4)
        job.kill()
    finished = run_fastvid(*words[:-2], "--decode", "local", ranks=3)
    assert finished.status == 0, finished.stderr
    assert np.array_equal(masks_in(tmp_path / "patch"), expected)
    with RunFile(tmp_path / "patch.h5") as run:
        assert run.settings["masking"] == "seeds"


def test_a_frame_is_written_to_paint_on(cut_clip: Clip, run_main: RunMain, tmp_path: Path) -> None:
    path = tmp_path / "seed_0005.png"
    assert run_main("mask", cut_clip.path, "--frame", "5", "-o", path)[0] == 0
    picture = cv2.imread(str(path))
    assert picture is not None
    assert np.array_equal(picture[..., ::-1], job_clips.decoded_frames(cut_clip.path)[5])
    status, err = run_main("mask", cut_clip.path, "--frame", "5", "-o", path)
    assert status == 2 and "exists already" in err


def test_what_can_not_be_masked_is_refused(
    cut_clip: Clip, seeds: list[Path], run_main: RunMain, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no network")
    output = tmp_path / "out"
    for message, words in (
        ("Give one of --seed, --person and --model", ()),
        ("Give one of --seed, --person and --model", ("--seed", seeds[0], "--model", bad)),
        ("bad.onnx: is no network that OpenCV can read", ("--model", bad)),
        ("frame 20 is none of 0 to 9", ("--seed", seeds[1], "--frames", "0:10")),
        ("there is no such file", ("--seed", tmp_path / "none_3.png")),
    ):
        status, err = run_main("mask", cut_clip.path, "-o", output, *words, "--threads", "1")
        assert status == 2 and message in err, err
    assert sorted(tmp_path.iterdir()) == [bad]


def test_people_are_found_and_an_empty_room_is_empty(tmp_path: Path) -> None:
    if not NETWORK.is_file():
        pytest.skip("the network that finds people is not beside the repository")
    network = MaskNetwork(NETWORK.read_bytes(), NETWORK.name, (256, 144))
    rows, columns = np.mgrid[0:144, 0:256]
    room = np.dstack([rows, columns // 2, 255 - rows]).astype(np.uint8)
    assert (network.mask(room) > 127).mean() < 0.01
    film = DATA / "videos" / "carphone_pristine.mp4"
    fastvid.make_masks(
        film, tmp_path / "man", model=NETWORK, frames=(0, 3), threads=1, progress="none"
    )
    masks = masks_in(tmp_path / "man")
    assert masks.shape == (3, 144, 192)
    # His face and his tie are he, the window and the seat are not.
    assert masks[:, 40:110, 85:110].min() > 200 and masks[:, :40, :50].max() < 30
    count = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        two = network.mask(room)
        cv2.setNumThreads(1)
        assert np.array_equal(network.mask(room), two)
    finally:
        cv2.setNumThreads(count)
