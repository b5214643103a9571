"""The looks against their definitions, pixel by pixel."""

import colorsys

import numpy as np
import pytest

from fastvid.style.looks import keep_colors, mix


def pair(height: int = 13, width: int = 17) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.7, 1.0])
def test_mix_is_the_weighted_mean(strength: float) -> None:
    painted, frame = pair()
    expected = painted * strength + frame * (1 - strength)
    assert np.abs(mix(painted, frame, strength) - expected).max() <= 0.5 + 1e-4


def test_mix_at_the_ends_is_exact() -> None:
    painted, frame = pair()
    assert np.array_equal(mix(painted, frame, 1), painted)
    assert np.array_equal(mix(painted, frame, 0), frame)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_mix_refuses_other_strengths(strength: float) -> None:
    painted, frame = pair()
    with pytest.raises(ValueError, match="strength"):
        mix(painted, frame, strength)


def luma(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(rgb @ np.array([0.2126, 0.7152, 0.0722]))


def test_keep_colors_takes_luma_from_the_painting_and_hue_from_the_frame() -> None:
    painted, frame = pair()
    result = keep_colors(painted, frame)
    assert np.abs(luma(result) - luma(painted)).max() <= 0.5 + 1e-3
    # Chroma R-Y, G-Y, B-Y: parallel to the frame's, and never longer.
    ours = result - luma(result)[..., None]
    theirs = frame - luma(frame)[..., None]
    length = np.linalg.norm(theirs, axis=2)
    across = np.linalg.norm(np.cross(ours, theirs), axis=2) / np.maximum(length, 1)
    assert across.max() <= 1.5
    assert (np.linalg.norm(ours, axis=2) <= length + 1.5).all()


def test_keep_colors_in_gamut_is_the_luma_swap() -> None:
    painted = np.full((2, 2, 3), 120, np.uint8)
    frame = np.full((2, 2, 3), (130, 100, 90), np.uint8)
    expected = frame + (120 - luma(frame[0, 0]))
    assert np.abs(keep_colors(painted, frame) - expected).max() <= 0.5 + 1e-3


def test_keep_colors_keeps_grey_grey_and_ends_exact() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    painted = np.ascontiguousarray(grey[:, ::-1])
    assert np.array_equal(keep_colors(painted, grey), painted)
    red = np.zeros((1, 1, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    dark = keep_colors(np.full((1, 1, 3), 40, np.uint8), red)[0, 0] / 255
    assert colorsys.rgb_to_hsv(*dark)[0] == pytest.approx(0.0, abs=0.01)


def test_looks_refuse_frames_of_different_shape() -> None:
    painted, frame = pair()
    with pytest.raises(ValueError, match="one shape"):
        mix(painted[1:], frame, 0.5)
    with pytest.raises(ValueError, match="one shape"):
        keep_colors(painted.astype(np.float32), frame)
