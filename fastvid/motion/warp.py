"""Backward warping: an image sampled where a flow field points.

Coordinates: pixel centres at whole numbers, x to the right, y down, origin in the centre of the
top left pixel. Flow is (H, W, 2) float32 in pixels, (dx, dy).
"""

from typing import Literal

import cv2
import numpy as np

Interpolation = Literal["linear", "cubic"]

_CV_INTERPOLATION = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}

# A bicubic kernel reaches two pixels: further out than this a replicated border looks the same, and
# OpenCV's conversion of coordinates to whole pixels stays defined for absurd flows.
_REACH_PX = 2.0


def sampling_map(flow: np.ndarray, wrap: bool = False) -> np.ndarray:
    """The positions x + flow(x) that a flow field samples, ready for `sample`.

    flow: (H, W, 2) float32, pixels, finite. wrap: the left and right edge are one, as at the back
    of a sphere; x is then within 0..W.
    Returns (H, W, 2) float32, (x, y) in pixels, clipped two pixels outside the image, where a
    replicated border makes no difference.
    """
    check_flow(flow)
    height, width = flow.shape[:2]
    positions = np.empty((height, width, 2), np.float32)
    np.add(flow[..., 0], np.arange(width, dtype=np.float32), out=positions[..., 0])
    np.add(flow[..., 1], np.arange(height, dtype=np.float32)[:, None], out=positions[..., 1])
    if wrap:
        positions[..., 0] -= np.floor(positions[..., 0] / np.float32(width)) * np.float32(width)
    else:
        np.clip(positions[..., 0], -_REACH_PX, width - 1 + _REACH_PX, out=positions[..., 0])
    np.clip(positions[..., 1], -_REACH_PX, height - 1 + _REACH_PX, out=positions[..., 1])
    return positions


def inside_frame(positions: np.ndarray) -> np.ndarray:
    """Which of a `sampling_map`'s positions lie between the centres of pixels: (H, W) bool."""
    height, width = positions.shape[:2]
    x, y = positions[..., 0], positions[..., 1]
    inside: np.ndarray = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    return inside


def sample(
    image: np.ndarray,
    positions: np.ndarray,
    interpolation: Interpolation = "linear",
    wrap: bool = False,
) -> np.ndarray:
    """The image at the given positions, its border replicated.

    image: (H, W) or (H, W, C) with C up to 4, uint8 or float32.
    positions: (h, w, 2) float32, (x, y) in pixels.
    interpolation: "linear" is convex, no value leaves the range of its neighbours; "cubic" is
    OpenCV's (Keys' kernel with a = -0.75), sharper, overshoots, clipped to 0..255 for uint8.
    wrap: beyond the last column comes the first one, for `linear` and positions that wrap.
    Returns (h, w) or (h, w, C) of the image's type, uint8 rounded to nearest.
    """
    if image.dtype not in (np.uint8, np.float32):
        raise TypeError(f"an image to warp is uint8 or float32, not {image.dtype}")
    if wrap:
        image = wrapped_columns(image, 0, 1)
    if image.shape[2:] == (2,):
        # With two channels alone OpenCV 5 rounds the positions to 1/32 pixel.
        return np.dstack(
            [
                sample(np.ascontiguousarray(image[..., channel]), positions, interpolation)
                for channel in range(2)
            ]
        )
    sampled: np.ndarray = cv2.remap(
        image, positions, None, _CV_INTERPOLATION[interpolation], borderMode=cv2.BORDER_REPLICATE
    )
    return sampled.reshape(positions.shape[:2] + image.shape[2:])


def warp(
    image: np.ndarray, flow: np.ndarray, interpolation: Interpolation = "linear"
) -> np.ndarray:
    """The image sampled at x + flow(x), its border replicated.

    With the backward flow of frame i and the image of frame i-1 this is frame i as far as the flow
    is right. image: (H, W) or (H, W, C), uint8 or float32; flow: (H, W, 2) float32, pixels, finite.
    Returns an array like the image. Raises ValueError if their sizes differ.
    """
    check_flow(flow)
    if image.shape[:2] != flow.shape[:2]:
        raise ValueError(
            f"the image is {image.shape[:2]} but its flow is {flow.shape[:2]} (height, width)"
        )
    return sample(image, sampling_map(flow), interpolation)


def wrapped_columns(image: np.ndarray, before: int, behind: int) -> np.ndarray:
    """An image, (H, W) or (H, W, C), continued around the back by so many columns."""
    continued: np.ndarray = cv2.copyMakeBorder(image, 0, 0, before, behind, cv2.BORDER_WRAP)
    return continued.reshape(*continued.shape[:2], *image.shape[2:])


def check_flow(flow: np.ndarray) -> None:
    """Raises ValueError unless flow is an (H, W, 2) float32 array."""
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.dtype != np.float32:
        raise ValueError(f"flow is (H, W, 2) float32, not {flow.shape} {flow.dtype}")
