"""Pairs of known motion: the flow is exact where it claims to hold, and claims where it should."""

import numpy as np
import pytest

from fastvid.training import compression, pairs

SIZE = 48


def photo(seed: int, height: int = 60, width: int = 71) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def bilinear(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """One pixel of an image at a real position, by the definition."""
    left, top = min(int(x), SIZE - 2), min(int(y), SIZE - 2)
    a, b = x - left, y - top
    upper = image[top, left] * (1 - a) + image[top, left + 1] * a
    lower = image[top + 1, left] * (1 - a) + image[top + 1, left + 1] * a
    return np.asarray(upper * (1 - b) + lower * b)


@pytest.mark.parametrize("seed", range(6))
def test_the_first_frame_sampled_along_the_flow_is_the_second(seed: int) -> None:
    pair = pairs.moving_pair(photo(1), photo(2), SIZE, np.random.default_rng(seed))
    assert pair.visible.mean() > 0.3
    for row, column in np.argwhere(pair.visible)[::7]:
        dx, dy = pair.backward_flow[row, column].astype(float)
        expected = bilinear(pair.first.astype(float), column + dx, row + dy)
        assert np.abs(pair.second[row, column] - expected).max() < 0.05


def test_layers_hide_and_uncover(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cut-out there are pixels inside the frame whose surface was not seen before."""
    monkeypatch.setattr(pairs, "LAYER_SHARE", 1.0)
    monkeypatch.setattr(pairs, "STILL_SHARE", 0.0)
    hidden = wrong = 0
    for seed in range(8):
        pair = pairs.moving_pair(photo(3), photo(4), SIZE, np.random.default_rng(seed))
        inside = pairs.within(pair.backward_flow)
        assert not (pair.visible & ~inside).any()
        covered = np.argwhere(inside & ~pair.visible)
        hidden += len(covered)
        for row, column in covered:
            dx, dy = pair.backward_flow[row, column].astype(float)
            expected = bilinear(pair.first.astype(float), column + dx, row + dy)
            wrong += np.abs(pair.second[row, column] - expected).max() > 5
    assert hidden > 100
    # Noise photographs differ nearly everywhere: what is called hidden would be a mismatch.
    assert wrong > 0.5 * hidden


def test_motion_covers_its_range() -> None:
    flows = [pairs.random_motion(SIZE, np.random.default_rng(seed)) for seed in range(200)]
    means = np.array([np.abs(flow).mean() for flow in flows])
    assert 0.05 < (means == 0).mean() < 0.3
    near = pairs.MAX_SHIFT_PX + 2 * pairs.MAX_BEND_PX + 0.1 * SIZE
    farthest = np.array([np.abs(flow).max() for flow in flows])
    assert farthest.max() < pairs.FAR_TIMES * near
    # Most move as neighbouring frames do, some as frames that lie further apart.
    assert 0.03 < (farthest > near).mean() < pairs.FAR_SHARE
    assert means.max() > 12


def test_a_still_flow_samples_the_image_itself() -> None:
    image = photo(5, SIZE, SIZE).astype(np.float32)
    assert np.array_equal(pairs.sample(image, np.zeros((SIZE, SIZE, 2), np.float32)), image)
    shifted = pairs.sample(image, np.full((SIZE, SIZE, 2), (3, -2), np.float32))
    assert np.array_equal(shifted[2:, :-3], image[:-2, 3:])


def test_noise_and_exposure_stay_within_their_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "COMPRESSED_SHARE", 0.0)
    for seed in range(10):
        pair = pairs.make_pair(photo(6), photo(7), SIZE, np.random.default_rng(seed))
        for image in (pair.first, pair.second, pair.content):
            assert image.dtype == np.float32 and image.shape == (SIZE, SIZE, 3)
            assert image.min() >= 0 and image.max() <= 255
        assert np.abs(pair.second - pair.content).std() < 1.2 * pairs.MAX_NOISE_LEVELS


def test_the_same_seed_gives_the_same_pair() -> None:
    one, two = (
        pairs.make_pair(photo(8), photo(9), SIZE, np.random.default_rng(11)) for _ in range(2)
    )
    assert np.array_equal(one.second, two.second)
    assert np.array_equal(one.backward_flow, two.backward_flow)


def test_a_photograph_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="60x40"):
        pairs.crop(photo(0, 40, 60), SIZE, np.random.default_rng(0))
