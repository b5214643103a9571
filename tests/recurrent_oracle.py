"""The plain way to repaint a video with a recurrent model: one frame after the other, in one loop,
as the original does it. It knows no segments, ranks, threads or files."""

from collections.abc import Collection, Sequence

import cv2
import numpy as np

from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import consistency_mask
from fastvid.motion.warp import warp
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.recurrent import RecurrentModel


def past_of(frame: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The backward flow, and the mask as the network wants it: a minimum of 7x7 pixels."""
    estimate = FlowEstimator()
    backward, forward = estimate(frame, before), estimate(before, frame)
    reliable = consistency_mask(backward, forward).astype(np.float32)
    return backward, cv2.erode(reliable, np.ones((7, 7), np.uint8))


def repaint(frames: Sequence[np.ndarray], cuts: Collection[int], model: RecurrentModel,
            first: StyleModel | None = None) -> np.ndarray:
    """The stylized frames, (N, H, W, 3) uint8.

    frames: (H, W, 3) uint8 RGB each. cuts: the first frame of each shot but the first. first:
    paints the first frame of each shot, None for the model itself.
    """
    set_threads(1)
    finished: list[np.ndarray] = []
    for index, frame in enumerate(frames):
        if index == 0 or index in cuts:
            finished.append(model.step(frame, None, None) if first is None
                            else first.paint([frame])[0])
            continue
        backward, mask = past_of(frame, frames[index - 1])
        finished.append(model.step(frame, warp(finished[-1], backward), mask))
    return np.stack(finished)
