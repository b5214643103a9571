"""The guided filter: a mask whose edges follow those of a picture.

He, Sun, Tang, "Guided Image Filtering", ECCV 2010, with a colour guide: within each window the
mask is taken for a linear function of red, green and blue.
"""

import cv2
import numpy as np

RADIUS_PX = 6
# The variance, in squared 8-bit levels, below which a window counts as flat.
EPSILON = 4.0**2
_NONE_LEVELS = 3


def guided_filter(
    guide: np.ndarray, mask: np.ndarray, radius: int = RADIUS_PX, epsilon: float = EPSILON
) -> np.ndarray:
    """guide: (H, W, 3) uint8; mask: (H, W) uint8. Returns (H, W) uint8.

    Where the mask is the same all over the reach of the filter it stays as it is; the rest of the
    picture is not computed.
    """
    reach = 2 * radius
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    open_place = cv2.dilate(mask, window) != cv2.erode(mask, window)
    if not open_place.any():
        return mask
    rows, columns = (np.flatnonzero(open_place.any(axis=axis)) for axis in (1, 0))
    box = tuple(
        slice(max(0, int(found[0]) - reach), int(found[-1]) + reach + 1)
        for found in (rows, columns)
    )
    result = mask.copy()
    filtered = _filtered(guide[box], mask[box], radius, epsilon)
    np.copyto(result[box], filtered, where=open_place[box])
    return result


def _filtered(guide: np.ndarray, mask: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """The filter on all of a picture. Sums are those of levels less 128, which float32 holds with
    more digits to spare."""
    colors = [
        np.ascontiguousarray(guide[..., channel], dtype=np.float32) - np.float32(128)
        for channel in range(3)
    ]
    inside = mask.astype(np.float32) - np.float32(128)
    means = [_mean(color, radius) for color in colors]
    mean = _mean(inside, radius)
    variances = {
        (i, j): _mean(colors[i] * colors[j], radius) - means[i] * means[j]
        for i in range(3)
        for j in range(i, 3)
    }
    for i in range(3):
        variances[i, i] += np.float32(epsilon)
    covariances = [
        _mean(color * inside, radius) - its_mean * mean
        for color, its_mean in zip(colors, means, strict=True)
    ]
    slopes = _solved(variances, covariances)
    offset = mean - sum(slope * its for slope, its in zip(slopes, means, strict=True))
    result = _mean(offset, radius) + np.float32(128)
    for slope, color in zip(slopes, colors, strict=True):
        result += _mean(slope, radius) * color
    levels = np.rint(result).clip(0, 255).astype(np.uint8)
    # What is all but none is none: pixels of the film stay what they are.
    levels[levels <= _NONE_LEVELS] = 0
    levels[levels >= 255 - _NONE_LEVELS] = 255
    return levels


def _mean(values: np.ndarray, radius: int) -> np.ndarray:
    side = 2 * radius + 1
    smooth: np.ndarray = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    return smooth


def _solved(
    variances: dict[tuple[int, int], np.ndarray], right: list[np.ndarray]
) -> list[np.ndarray]:
    """The solutions of a symmetric 3x3 system at every pixel, by Cramer's rule."""
    rr, rg, rb = variances[0, 0], variances[0, 1], variances[0, 2]
    gg, gb, bb = variances[1, 1], variances[1, 2], variances[2, 2]
    inverse = {
        (0, 0): gg * bb - gb * gb,
        (0, 1): rb * gb - rg * bb,
        (0, 2): rg * gb - rb * gg,
        (1, 1): rr * bb - rb * rb,
        (1, 2): rg * rb - rr * gb,
        (2, 2): rr * gg - rg * rg,
    }
    determinant = rr * inverse[0, 0] + rg * inverse[0, 1] + rb * inverse[0, 2]
    return [
        sum(inverse[min(i, j), max(i, j)] * right[j] for j in range(3)) / determinant
        for i in range(3)
    ]
