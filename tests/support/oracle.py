"""The plain way to repaint a video: one frame after the other, in one loop.

It knows no segments, ranks, threads or files, only the functions that work on one or two frames.
"""

from collections.abc import Collection, Sequence

import numpy as np

from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import consistency_mask
from fastvid.stages.temporal import DEFAULT_STRENGTH, blend, trust_gate
from fastvid.style.model import StyleModel, set_threads


def repaint(
    frames: Sequence[np.ndarray],
    cuts: Collection[int],
    style: StyleModel,
    temporal_strength: float = DEFAULT_STRENGTH,
) -> np.ndarray:
    """The stylized frames, (N, H, W, 3) uint8.

    frames: (H, W, 3) uint8 RGB each. cuts: the first frame of each shot but the first.
    """
    set_threads(1)
    estimate = FlowEstimator()
    finished: list[np.ndarray] = []
    for index, frame in enumerate(frames):
        (painted,) = style.paint([frame])
        if index == 0 or index in cuts:
            finished.append(painted)
            continue
        before = frames[index - 1]
        backward, forward = estimate(frame, before), estimate(before, frame)
        reliable = consistency_mask(backward, forward)
        gate = trust_gate(frame, before, backward, reliable, temporal_strength)
        finished.append(blend(painted, finished[-1], backward, gate))
    return np.stack(finished)
