"""The figures against their published formulas, written out plainly."""

import numpy as np
import pytest

from fastvid.commands.evaluate.metrics import (
    Mean,
    contrast,
    fav_temporal_error,
    lai_temporal_error,
    sharpness,
    temporal_difference,
    temporal_rmse,
)


@pytest.fixture
def pair() -> tuple[np.ndarray, ...]:
    """Two frames, a flow of whole pixels (so that warping is looking up) and a mask."""
    rng = np.random.default_rng(6)
    frame, other = rng.integers(0, 256, (2, 11, 14, 3), dtype=np.uint8)
    flow = rng.integers(-2, 3, (11, 14, 2)).astype(np.float32)
    return frame, other, flow, rng.random((11, 14)) < 0.6


def squares(
    frame: np.ndarray, other: np.ndarray, flow: np.ndarray, mask: np.ndarray
) -> list[float]:
    """Squared differences in levels of all masked pixels and channels, one list."""
    values = []
    for row, column in np.argwhere(mask):
        x = min(max(column + int(flow[row, column, 0]), 0), 13)
        y = min(max(row + int(flow[row, column, 1]), 0), 10)
        values += [
            (float(a) - float(b)) ** 2 for a, b in zip(frame[row, column], other[y, x], strict=True)
        ]
    return values


def test_the_error_of_fast_artistic_videos(pair: tuple[np.ndarray, ...]) -> None:
    expected = sum(squares(*pair)) / 255**2 / (3 * 11 * 14)
    assert fav_temporal_error(*pair) == pytest.approx(expected, rel=1e-5)


def test_the_error_of_lai(pair: tuple[np.ndarray, ...]) -> None:
    expected = sum(squares(*pair)) / 255**2 / pair[3].sum()
    assert lai_temporal_error(*pair) == pytest.approx(expected, rel=1e-5)


def test_the_rmse_in_levels(pair: tuple[np.ndarray, ...]) -> None:
    assert temporal_rmse(*pair) == pytest.approx(np.sqrt(np.mean(squares(*pair))), rel=1e-5)


def test_nothing_reliable_has_no_mean(pair: tuple[np.ndarray, ...]) -> None:
    frame, other, flow, mask = pair
    nothing = np.zeros_like(mask)
    assert temporal_rmse(frame, other, flow, nothing) is None
    assert lai_temporal_error(frame, other, flow, nothing) is None
    assert fav_temporal_error(frame, other, flow, nothing) == 0.0


def test_frames_of_two_sizes_are_refused(pair: tuple[np.ndarray, ...]) -> None:
    frame, other, flow, mask = pair
    with pytest.raises(ValueError, match="sizes"):
        temporal_rmse(frame, other[:10], flow, mask)


def test_contrast_is_what_a_blur_takes_away() -> None:
    """Of a fine board of +-30 levels a wide blur leaves grey; of a slow ramp nearly all."""
    board = np.where(np.indices((64, 64)).sum(0) % 2, 158, 98).astype(np.uint8)
    assert contrast(np.dstack([board] * 3)) == pytest.approx(30, rel=0.02)
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.uint8), (64, 1))
    assert contrast(np.dstack([ramp] * 3)) < 2
    assert contrast(np.full((9, 9, 3), 7, np.uint8)) == 0.0


def test_the_temporal_difference_is_the_mean_of_absolute_ones() -> None:
    random = np.random.default_rng(3)
    frame, previous = random.integers(0, 256, (2, 8, 9, 3), np.uint8)
    reliable = random.random((8, 9)) < 0.5
    still = np.zeros((8, 9, 2), np.float32)
    values = [
        abs(int(frame[y, x, c]) - int(previous[y, x, c]))
        for y, x in np.argwhere(reliable)
        for c in range(3)
    ]
    found = temporal_difference(frame, previous, still, reliable)
    assert found == pytest.approx(np.mean(values))
    assert temporal_difference(frame, previous, still, np.zeros((8, 9), bool)) is None


def test_sharpness_of_a_board() -> None:
    """On a board of single pixels 0 and 100 the Laplacian is +400 and -400 inside."""
    board = (np.indices((40, 40)).sum(axis=0) % 2 * 100).astype(np.uint8)
    assert sharpness(np.dstack([board] * 3)) == pytest.approx(400, rel=0.05)
    assert sharpness(np.full((9, 9, 3), 7, np.uint8)) == 0.0


def test_means_leave_out_what_is_none() -> None:
    assert Mean().value is None
    mean = Mean()
    for value in (1.0, None, 4.0):
        mean.add(value)
    assert mean.value == 2.5 and mean.count == 2
