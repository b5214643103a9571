"""Putting a frame together from its looks, and what of its past it may keep.

Looks are composed before the temporal filter. Its gate is multiplied by the share of each pixel
that belonged to the same look one frame ago: pixels of the film stay the film's, and no look runs
into another one.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from fastvid.motion.warp import sample
from fastvid.regions.weights import ALL

# The weights of the past are eroded by this before they are sampled: so far along either axis
# reaches the filter's deblurring. (With the corners, the inner rim of a region flickers by 1.16
# times what it does if the film is put over the finished picture; so it is 1.12.)
_REACH = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def compose(
    image: np.ndarray, painted: Mapping[int, np.ndarray], shares: Mapping[int, np.ndarray]
) -> np.ndarray:
    """The film with the looks on it: f + sum of w_k (A_k - f), rounded to nearest.

    image: f, (H, W, 3) uint8. painted: A_k by look. shares: w_k in 255ths, (H, W) uint8, together
    at most 255; the film has the rest. Where one has all of a pixel, the bytes are its own.
    """
    made = image.copy()
    mixed = np.zeros(image.shape[:2], bool)
    for look, share in shares.items():
        whole = share == ALL
        cv2.copyTo(painted[look], whole.view(np.uint8), made)
        mixed |= (share > 0) & ~whole
    soft = np.flatnonzero(mixed)
    if soft.size:
        made.reshape(-1, 3)[soft] = _mixed(image, painted, shares, soft)
    return made


def _mixed(
    image: np.ndarray,
    painted: Mapping[int, np.ndarray],
    shares: Mapping[int, np.ndarray],
    places: np.ndarray,
) -> np.ndarray:
    """The pixels at flat places where looks meet, (N, 3) uint8."""
    left = np.full((len(places), 1), ALL, np.uint16)
    total = np.full((len(places), 3), ALL // 2, np.uint16)
    for look, share in shares.items():
        weight = share.reshape(-1)[places, None].astype(np.uint16)
        left -= weight
        total += weight * painted[look].reshape(-1, 3)[places]
    total += left * image.reshape(-1, 3)[places]
    return (total // ALL).astype(np.uint8)


def same_look(
    now: Mapping[int, np.ndarray],
    before: Mapping[int, np.ndarray],
    positions: np.ndarray,
    wrap: bool = False,
) -> np.ndarray | None:
    """The share of each pixel that had the same look one frame ago, in 255ths, (H, W) uint8; None
    where that is all of every pixel.

    now, before: shares of both frames by look. positions: where the frame before is sampled. wrap:
    the left and right edge are one.
    """
    kept = np.zeros(positions.shape[:2], np.uint8)
    for look, share in now.items():
        if look in before:
            past = sample(cv2.erode(before[look], _REACH), positions, wrap=wrap)
            kept += np.minimum(share, past)
    return None if kept.min() == ALL else kept


def dampened(gate: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
    """A gate in 128ths, (H, W) int16, times a factor in 255ths, rounded down."""
    if factor is None:
        return gate
    damped: np.ndarray = gate * factor.astype(np.int16) // ALL
    return damped
