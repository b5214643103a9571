"""Where a run's flow and masks come from: estimated from the frames, or read from files."""

from typing import Protocol

import numpy as np

from fastvid.motion.flow import FlowEstimator
from fastvid.motion.flow_folder import FlowFolder
from fastvid.motion.occlusion import reliable_mask


class MotionSource(Protocol):
    """Gives the motion of each frame against the frame before it."""

    def __call__(
        self, frame: np.ndarray, previous: np.ndarray, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Backward flow, (H, W, 2) float32 pixels, and where it is reliable, (H, W) bool.

        frame, previous: (H, W, 3) uint8 RGB. number: of `frame` in the run, from 0.
        """


class EstimatedMotion:
    """Flow both ways and the consistency of the two."""

    def __init__(self, method: str, scale: float, boundaries_unreliable: bool) -> None:
        self._estimate = FlowEstimator(method, scale)
        self._boundaries_unreliable = boundaries_unreliable

    def __call__(
        self, frame: np.ndarray, previous: np.ndarray, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """See MotionSource."""
        backward = self._estimate(frame, previous)
        forward = self._estimate(previous, frame)
        return backward, reliable_mask(backward, forward, self._boundaries_unreliable)


class FiledMotion:
    """Flow and masks of a folder. first_frame: where the run begins in the film, from 0.

    Raises InputError, as calls do, where this rank can't read the folder.
    """

    def __init__(self, folder: str, first_frame: int) -> None:
        self._files = FlowFolder(folder)
        self._files.check()
        self._first_frame = first_frame

    def __call__(
        self, frame: np.ndarray, previous: np.ndarray, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """See MotionSource."""
        return self._files.read(self._first_frame + number, *frame.shape[:2])
