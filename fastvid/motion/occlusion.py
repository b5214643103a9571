"""Where a flow field can't be trusted: occlusions and motion boundaries.

The consistency test and its constants are those of Sundaram, Brox, Keutzer, "Dense Point
Trajectories by GPU-accelerated Large Displacement Optical Flow", ECCV 2010, as in Ruder,
Dosovitskiy, Brox, "Artistic Style Transfer for Videos and Spherical Images", IJCV 126, 2018.
"""

import cv2
import numpy as np

from fastvid.motion.warp import check_flow, sample, sampling_map, wrapped_columns

# |w + v|^2 < 0.01 (|w|^2 + |v|^2) + 0.5, pixels squared.
CONSISTENCY_RELATIVE = 0.01
CONSISTENCY_ABSOLUTE_PX2 = 0.5
# |grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002.
BOUNDARY_RELATIVE = 0.01
BOUNDARY_ABSOLUTE = 0.002
# The recurrent networks were trained with masks thinned by this minimum filter.
NETWORK_MASK_WINDOW_PX = 7


def consistency_mask(flow: np.ndarray, opposite: np.ndarray, wrap: bool = False) -> np.ndarray:
    """Where the flow there and the flow back cancel, so that the pixel is seen in both frames.

    flow: w, (H, W, 2) float32, pixels, e.g. from frame i to i-1; opposite: v, from i-1 to i.
    Returns (H, W) bool, True where reliable: x + w(x) lies inside the image and
    |w + v'|^2 < 0.01 (|w|^2 + |v'|^2) + 0.5 with v' = v at x + w(x), bilinear.
    A position counts as outside when one of the four pixels that it is interpolated from does
    (floor + 1 beyond the last row or column), so the last row and column of a still are outside.
    wrap: the left and right edge are one; no column then counts as outside.
    Raises ValueError if the two differ in size.
    """
    check_flow(opposite)
    if flow.shape != opposite.shape:
        raise ValueError(f"two flows of one pair differ in size: {flow.shape}, {opposite.shape}")
    positions = sampling_map(flow, wrap)
    height, width = flow.shape[:2]
    x, y = positions[..., 0], positions[..., 1]
    # floor(x) + 1 <= width - 1 is x < width - 1.
    inside = (y >= 0) & (y < height - 1)
    if not wrap:
        inside &= (x >= 0) & (x < width - 1)
    back = sample(opposite, positions, wrap=wrap)
    gap = _squared_length(flow + back)
    bound = _squared_length(flow) + _squared_length(back)
    bound *= np.float32(CONSISTENCY_RELATIVE)
    bound += np.float32(CONSISTENCY_ABSOLUTE_PX2)
    reliable: np.ndarray = inside & (gap < bound)
    return reliable


def motion_boundaries(flow: np.ndarray) -> np.ndarray:
    """Where the flow changes abruptly, at the edges of moving things.

    flow: w = (u, v), (H, W, 2) float32, pixels. Returns (H, W) bool, True on a boundary:
    |grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002, central differences, the border replicated.
    """
    check_flow(flow)
    kernel, alone = np.array([-0.5, 0.0, 0.5], np.float32), np.ones(1, np.float32)
    along_x = cv2.sepFilter2D(flow, -1, kernel, alone, borderType=cv2.BORDER_REPLICATE)
    along_y = cv2.sepFilter2D(flow, -1, alone, kernel, borderType=cv2.BORDER_REPLICATE)
    change = _squared_length(along_x) + _squared_length(along_y)
    bound = _squared_length(flow)
    bound *= np.float32(BOUNDARY_RELATIVE)
    bound += np.float32(BOUNDARY_ABSOLUTE)
    boundary: np.ndarray = change > bound
    return boundary


def reliable_mask(
    flow: np.ndarray, opposite: np.ndarray, boundaries_unreliable: bool
) -> np.ndarray:
    """The consistency mask, less the motion boundaries if they are to count as unreliable.

    The published tool of 2016 took them out, that of 2018 left them in. (H, W) bool.
    """
    reliable = consistency_mask(flow, opposite)
    if boundaries_unreliable:
        reliable &= ~motion_boundaries(flow)
    return reliable


def shrink(reliable: np.ndarray, window_px: int, wrap: bool = False) -> np.ndarray:
    """A mask through a minimum filter of window_px x window_px; nothing outside counts against it.

    reliable: (H, W) bool; window_px odd. wrap: the left and right edge are one. Returns (H, W)
    bool.
    """
    kernel = np.ones((window_px, window_px), np.uint8)
    mask, reach = reliable.view(np.uint8), window_px // 2 if wrap else 0
    if wrap:
        mask = wrapped_columns(mask, reach, reach)
    thinned: np.ndarray = cv2.erode(mask, kernel)
    return np.ascontiguousarray(thinned[:, reach : thinned.shape[1] - reach]).view(bool)


def network_mask(reliable: np.ndarray) -> np.ndarray:
    """The mask that the recurrent networks of Ruder et al. (2018) take: a 7x7 minimum filter.

    reliable: (H, W) bool. Returns (H, W) float32, 0 or 1.
    """
    return shrink(reliable, NETWORK_MASK_WINDOW_PX).astype(np.float32)


def _squared_length(vectors: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32 to (H, W) float32."""
    x, y = vectors[..., 0], vectors[..., 1]
    squared: np.ndarray = x * x
    squared += y * y
    return squared
