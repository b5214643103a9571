"""How steady and how sharp a video is: the published temporal errors and plainer figures.

Frames are (H, W, 3) uint8 RGB, flow is (H, W, 2) float32 in pixels, masks are (H, W) bool. All
warps are bilinear. Each function takes one pair or one frame; `Mean` averages over a video. Means
over pixels of a sphere are weighted by area (`Sight`).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.commands.evaluate.sight import Sight
from fastvid.motion.warp import sample, sampling_map

_MAX_LEVEL = 255.0
CONTRAST_SIGMA_PX = 4.0
_FLAT = Sight()


def fav_temporal_error(
    frame: np.ndarray,
    previous: np.ndarray,
    backward: np.ndarray,
    reliable: np.ndarray,
    *,
    sight: Sight = _FLAT,
) -> float:
    """The temporal error of Ruder, Dosovitskiy, Brox (IJCV 126, 2018) of one pair.

    (1 / 3HW) sum (M warp(S_{i-1}) - M S_i)^2 on colours in [0, 1]: masked pixels count as zero but
    stay in the denominator. backward: flow from i to i-1; reliable: M.
    """
    difference = _difference(frame, previous, backward, sight) / np.float32(_MAX_LEVEL)
    if sight.sphere is None:
        return float(np.square(difference)[reliable].sum(dtype=np.float64) / frame.size)
    return sight.mean(np.square(difference) * reliable[..., None])


def lai_temporal_error(
    frame: np.ndarray,
    following: np.ndarray,
    forward: np.ndarray,
    clear: np.ndarray,
    *,
    sight: Sight = _FLAT,
) -> float | None:
    """The warping error of Lai et al. ("Learning Blind Video Temporal Consistency", 2018).

    sum |N (warp(O_{t+1}) - O_t)|^2 / sum N on colours in [0, 1], squares added over the channels.
    forward: flow from t to t+1; clear: N, neither occluded nor on a motion boundary. None where no
    pixel is clear.
    """
    count = int(clear.sum())
    if count == 0:
        return None
    difference = _difference(frame, following, forward, sight) / np.float32(_MAX_LEVEL)
    if sight.sphere is None:
        return float(np.square(difference)[clear].sum(dtype=np.float64) / count)
    return sight.mean(np.square(difference), clear) * int(frame.shape[2])


def temporal_rmse(
    frame: np.ndarray,
    previous: np.ndarray,
    backward: np.ndarray,
    reliable: np.ndarray,
    *,
    sight: Sight = _FLAT,
) -> float | None:
    """Root of the mean over reliable pixels and channels of (S_i - warp(S_{i-1}))^2.

    In 8-bit levels. None where no pixel is reliable. The two frames may lie any number of frames
    apart, as long as the flow leads from the later to the earlier one.
    """
    if not reliable.any():
        return None
    difference = _difference(frame, previous, backward, sight)
    return float(np.sqrt(sight.mean(np.square(difference), reliable)))


def temporal_difference(
    frame: np.ndarray,
    previous: np.ndarray,
    backward: np.ndarray,
    reliable: np.ndarray,
    *,
    sight: Sight = _FLAT,
) -> float | None:
    """Mean over reliable pixels and channels of |S_i - warp(S_{i-1})|; else as `temporal_rmse`."""
    if not reliable.any():
        return None
    return sight.mean(np.abs(_difference(frame, previous, backward, sight)), reliable)


def contrast(frame: np.ndarray, sight: Sight = _FLAT) -> float:
    """Root mean square of a frame minus its Gaussian blur of sigma 4 pixels, in levels.

    The strength of strokes and details. Flicker is relative to it: a dull picture has little of
    both.
    """
    levels = frame.astype(np.float32)
    blurred = cv2.GaussianBlur(levels, (0, 0), CONTRAST_SIGMA_PX)
    return float(np.sqrt(sight.mean(np.square(levels - blurred))))


def sharpness(frame: np.ndarray, sight: Sight = _FLAT) -> float:
    """Standard deviation of the Laplacian (the 4-neighbour kernel) of the grey frame, in levels."""
    laplacian = cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    if sight.sphere is None:
        return float(laplacian.std(dtype=np.float64))
    return float(np.sqrt(sight.mean(np.square(laplacian - sight.mean(laplacian)))))


@dataclass
class Mean:
    """A running mean; what is None is left out."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        """Count one more value."""
        if value is not None:
            self.total += value
            self.count += 1

    @property
    def value(self) -> float | None:
        """The mean so far, None before the first value."""
        return self.total / self.count if self.count else None


def _difference(frame: np.ndarray, other: np.ndarray, flow: np.ndarray, sight: Sight) -> np.ndarray:
    """warp(other) - frame, (H, W, 3) float32 levels."""
    if frame.shape != other.shape:
        raise ValueError(f"frames of two sizes can't be compared: {frame.shape}, {other.shape}")
    positions = sampling_map(flow, sight.wraps)
    moved: np.ndarray = sample(other.astype(np.float32), positions, wrap=sight.wraps)
    moved -= frame
    return moved
