"""Flat painted layers that move: how a generated frame is put together, and its exact motion.

Scene coordinates: x to the right, y down, in frame heights, (0, 0) the top left corner of the frame
and (width / height, 1) its bottom right corner. A motion is a 3x3 matrix on homogeneous scene
coordinates. Pixel centres lie at (column + 0.5) / height.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Motion = Callable[[float], np.ndarray]

# A pixel belongs to the topmost layer that covers at least half of it.
_OWNER_ALPHA = 128
_NOBODY = -1


@dataclass(frozen=True)
class Layer:
    """One flat picture and its way through the scene.

    texture: (h, w, 4) uint8 RGBA, colours premultiplied by alpha.
    placement: 3x3, texture pixels to scene coordinates at rest.
    motion: seconds since the shot's start to 3x3, scene coordinates at rest to those of the time.
    """

    texture: np.ndarray
    placement: np.ndarray
    motion: Motion

    def to_screen(self, time_s: float, height: int) -> np.ndarray:
        """3x3 from texture pixels to pixels of a frame of that height."""
        screen = np.array([[height, 0, -0.5], [0, height, -0.5], [0, 0, 1.0]])
        matrix: np.ndarray = screen @ self.motion(time_s) @ self.placement
        return matrix


def render(
    layers: Sequence[Layer], time_s: float, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """The layers painted over each other, the first at the back.

    Returns the frame, (H, W, 3) uint8 RGB, and the owners, (H, W) int16: which layer each pixel
    belongs to. Edges are anti-aliased: a pixel on an edge mixes both layers, and belongs to the one
    in front if that covers at least half of it.
    """
    image = np.zeros((height, width, 3), np.float32)
    owners = np.full((height, width), _NOBODY, np.int16)
    for number, layer in enumerate(layers):
        matrix = layer.to_screen(time_s, height)
        box = _screen_box(matrix, layer.texture.shape, width, height)
        if box is None:
            continue
        left, top, right, bottom = box
        shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1.0]])
        tile = _warp_texture(layer.texture, shift @ matrix, right - left, bottom - top)
        alpha = tile[..., 3]
        keep = cv2.merge([255 - alpha] * 3) * np.float32(1 / 255)
        part = image[top:bottom, left:right]
        part *= keep
        part += tile[..., :3]
        owners[top:bottom, left:right][alpha >= _OWNER_ALPHA] = number
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8), owners


def exact_flow(
    layers: Sequence[Layer], owners: np.ndarray, time_s: float, other_time_s: float
) -> np.ndarray:
    """Where each pixel of the frame at time_s is at other_time_s: (H, W, 2) float32, pixels.

    Each pixel moves with the layer that owns it, whether or not it is seen at the other time.
    """
    height, width = owners.shape
    flow = np.zeros((height, width, 2), np.float32)
    for number, layer in enumerate(layers):
        rows, columns = np.nonzero(owners == number)
        if rows.size == 0:
            continue
        there = layer.to_screen(other_time_s, height)
        here = layer.to_screen(time_s, height)
        x, y = _apply(there @ np.linalg.inv(here), columns, rows)
        flow[rows, columns, 0] = x - columns
        flow[rows, columns, 1] = y - rows
    return flow


def unseen(owners: np.ndarray, flow: np.ndarray, other_owners: np.ndarray) -> np.ndarray:
    """Which pixels are hidden or outside the frame at the other time: (H, W) bool.

    flow leads from `owners` to `other_owners`. A pixel is seen if the pixel nearest to where it
    goes is inside the frame and belongs to the same layer.
    """
    height, width = owners.shape
    columns = np.rint(np.arange(width) + flow[..., 0].astype(np.float64)).astype(np.int64)
    rows = np.rint(np.arange(height)[:, None] + flow[..., 1].astype(np.float64)).astype(np.int64)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    found = other_owners[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    hidden: np.ndarray = ~inside | (found != owners)
    return hidden


def _apply(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A 3x3 matrix on homogeneous points."""
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in matrix)
    return u / w, v / w


def _screen_box(
    matrix: np.ndarray, shape: tuple[int, ...], width: int, height: int
) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the part of the frame that the texture can touch."""
    far_x, far_y = shape[1] - 0.5, shape[0] - 0.5
    x, y = _apply(
        matrix, np.array([-0.5, far_x, far_x, -0.5]), np.array([-0.5, -0.5, far_y, far_y])
    )
    left, right = max(0, int(np.floor(x.min()))), min(width, int(np.ceil(x.max())) + 1)
    top, bottom = max(0, int(np.floor(y.min()))), min(height, int(np.ceil(y.max())) + 1)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _warp_texture(texture: np.ndarray, matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """The texture through a 3x3 matrix, nothing (transparent) outside of it."""
    if np.array_equal(matrix[2], [0.0, 0.0, 1.0]):
        warped: np.ndarray = cv2.warpAffine(texture, matrix[:2], (width, height))
    else:
        warped = cv2.warpPerspective(texture, matrix, (width, height))
    return warped.reshape(height, width, 4)
