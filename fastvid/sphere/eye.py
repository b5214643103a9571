"""One eye of a frame as an equirectangular picture in true shape, and back.

An eye that is squeezed, as two eyes in one frame often are, gets the same density of pixels in both
directions: the geometric mean of the two that it has.
"""

import math

import cv2
import numpy as np

from fastvid.motion.warp import sample
from fastvid.sphere.caps import CUBIC_REACH, Circle, over_the_edges

# The circle of a picture that is resampled anyhow: the network halves it without remainder.
_MULTIPLE = 8
# The least multiple that a picture needs for its rows to be halved into two caps.
_KEPT_MULTIPLE = 4


class Eye:
    """Eyes of height x width pixels. circle: what they become."""

    def __init__(self, height: int, width: int, half: bool) -> None:
        self._size = height, width
        whole = 2 * width if half else width
        if whole == 2 * height and whole % _KEPT_MULTIPLE == 0:
            self.circle = Circle(whole, half)
        else:
            around = math.sqrt(whole * 2 * height)
            self.circle = Circle(round(around / _MULTIPLE) * _MULTIPLE, half)
        self._true_size = self.circle.rows, self.circle.columns
        self._kept = self._size == self._true_size
        self._out = None if self._kept else _grid(self._size, self._true_size)
        self._back = None if self._kept else _grid(self._true_size, self._size)

    def in_true_shape(self, image: np.ndarray) -> np.ndarray:
        """(height, width, C) uint8 to (rows, columns, C) of the circle."""
        return image if self._out is None else self._resampled(image, self._out)

    def in_frame(self, image: np.ndarray) -> np.ndarray:
        """The inverse of `in_true_shape`."""
        return image if self._back is None else self._resampled(image, self._back)

    def motion_in_frame(
        self, flow: np.ndarray, reliable: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Flow, (rows, columns, 2) float32 pixels, and mask, (rows, columns) bool, of the circle
        as those of the eye in the frame."""
        if self._back is None:
            return flow, reliable
        scale = [self._size[axis] / self._true_size[axis] for axis in (1, 0)]
        moved = sample(flow, self._back) * np.array(scale, np.float32)
        trusted = sample(reliable.view(np.uint8) * np.uint8(255), self._back) >= 128
        return moved, trusted

    def _resampled(self, image: np.ndarray, positions: np.ndarray) -> np.ndarray:
        continued = over_the_edges(image, self.circle.half)
        found: np.ndarray = cv2.remap(
            continued, positions + np.float32(CUBIC_REACH), None, cv2.INTER_CUBIC
        )
        return found.reshape(*positions.shape[:2], image.shape[2])


def _grid(source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """Where the pixels of a picture of one size are in one of another, (h, w, 2) float32."""
    y, x = (
        (np.arange(length) + 0.5) * (before / length) - 0.5
        for before, length in zip(source, target, strict=True)
    )
    grid = np.empty((*target, 2), np.float32)
    grid[..., 0], grid[..., 1] = x[None, :], y[:, None]
    return grid
