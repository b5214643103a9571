"""Frames painted with strokes of a wanted size, by a model that paints at one."""

import cv2
import numpy as np
import pytest

from fastvid.style.enlarging import enlarge
from fastvid.style.loading import load_model
from fastvid.style.painter import Painter
from support import job_clips

STYLE = load_model(job_clips.style_bytes(), "tiny")


def frame(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    smooth: np.ndarray = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return smooth


def test_a_frame_at_its_own_size_is_the_models() -> None:
    image = frame(90, 120)
    assert np.array_equal(Painter(STYLE, 1.0).paint([image])[0], STYLE.paint([image])[0])


@pytest.mark.parametrize(("size", "stroke"), [((500, 640), 1.0), ((96, 128), 2.0)])
def test_a_large_frame_is_painted_small_and_enlarged(size: tuple[int, int], stroke: float) -> None:
    image = frame(*size)
    height, width = (360, 461) if stroke == 1 else (48, 64)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    expected = enlarge(STYLE.paint([small])[0], image, small)
    assert np.array_equal(Painter(STYLE, stroke).paint([image])[0], expected)


def test_finer_strokes_are_painted_large_and_shrunk() -> None:
    image = frame(60, 80)
    large = cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC)
    painting = STYLE.paint([large])[0]
    expected = cv2.resize(painting, (80, 60), interpolation=cv2.INTER_AREA)
    assert np.array_equal(Painter(STYLE, 0.5).paint([image])[0], expected)


def test_a_batch_is_painted_as_its_frames_alone() -> None:
    images = [frame(96, 128, seed) for seed in range(3)]
    painter = Painter(STYLE, 2.0)
    pending = painter.begin(images, 3)
    batch = pending.images()
    assert pending.ready()
    for image, painted in zip(images, batch, strict=True):
        assert np.abs(painter.paint([image])[0].astype(int) - painted).max() <= 1


def test_memory_follows_the_size_that_is_painted() -> None:
    usual = Painter(STYLE, 1.0)
    assert usual.memory_bytes(360, 640) == STYLE.memory_bytes(360, 640)
    assert usual.memory_bytes(2160, 3840) < STYLE.memory_bytes(2160, 3840)
    assert Painter(STYLE, 0.5).memory_bytes(360, 640) > 3 * usual.memory_bytes(360, 640)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        Painter(STYLE, 1.0).paint([np.zeros((480, 854), np.uint8)])
