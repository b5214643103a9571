"""Compressed training pictures: blocks where they should be, and the clean picture as content."""

import cv2
import numpy as np
import pytest

from fastvid.training import compression, pairs


def gradient(side: int = 64) -> np.ndarray:
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return np.stack([2 * x + y, 60 + 1.5 * y, 200 - x], -1).astype(np.float32)


def test_without_a_shift_it_is_jpeg() -> None:
    image = gradient()
    found = compression.Compression(quality=20, left=0, top=0).applied(image)
    levels = np.rint(image).clip(0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, 20])
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert expected is not None
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32 and found.shape == image.shape


def test_the_grid_of_blocks_is_shifted() -> None:
    """The steps at the borders of blocks stand where the shift puts them."""
    for left in (0, 3, 7):
        found = compression.Compression(quality=5, left=left, top=0).applied(gradient())
        steps = np.abs(np.diff(found, axis=1)).mean((0, 2))
        phase = [steps[first::8].mean() for first in range(8)]
        assert int(np.argmax(phase)) == (7 - left) % 8


def test_some_pictures_are_compressed_and_the_content_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (70, 70, 3), np.uint8)
    drawn = [compression.random_compression(np.random.default_rng(n)) for n in range(200)]
    share = np.mean([found is not None for found in drawn])
    assert abs(share - compression.COMPRESSED_SHARE) < 0.12
    monkeypatch.setattr(compression, "COMPRESSED_SHARE", 1.0)
    monkeypatch.setattr(pairs, "MAX_NOISE_LEVELS", 0.0)
    image, content = pairs.make_single(photo, 48, np.random.default_rng(2))
    assert 2 < np.abs(image - content).mean() < 60
    pair = pairs.make_pair(photo, photo, 48, np.random.default_rng(2))
    assert 2 < np.abs(pair.second - pair.content).mean() < 60
