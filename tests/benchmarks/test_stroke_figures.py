"""How the strokes of a picture are measured, and what counts as moving on."""

import cv2
import numpy as np
import pytest

from harness.morph import moves_on
from harness.stroke_length import stroke_length


def stripes(height: int, period: float) -> np.ndarray:
    """Vertical stripes that are `period` of the height apart, (H, 16/9 H, 3) uint8."""
    columns = np.arange(height * 16 // 9) / (period * height)
    row = (127.5 + 100 * np.sin(2 * np.pi * columns)).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (height, len(row), 3)).copy()


def test_the_length_does_not_depend_on_the_resolution() -> None:
    lengths = [stroke_length(stripes(height, 0.04)) for height in (360, 720, 1080)]
    assert lengths == pytest.approx([lengths[0]] * 3, rel=0.03)


def test_twice_the_stroke_is_twice_the_length() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3)).astype(np.uint8)
    fine, coarse = (cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (1.5, 3.0))
    assert stroke_length(coarse) / stroke_length(fine) == pytest.approx(2, rel=0.15)


def test_steps_that_rise() -> None:
    assert moves_on([1.0, 2.0, 3.0]) == 1 and moves_on([1.0, 2.0, 1.5, 3.0]) == pytest.approx(2 / 3)
