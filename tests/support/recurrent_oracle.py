"""The plain way to repaint a video with a recurrent model: one frame after the other, in one loop,
as the original does it. It knows no segments, ranks, threads or files."""

import itertools
from collections.abc import Collection, Sequence

import cv2
import numpy as np

from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import consistency_mask
from fastvid.motion.warp import warp
from fastvid.stages.overlap import Overlap
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.recurrent import RecurrentModel


def past_of(frame: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The backward flow, and the mask as the network wants it: a minimum of 7x7 pixels."""
    estimate = FlowEstimator()
    backward, forward = estimate(frame, before), estimate(before, frame)
    reliable = consistency_mask(backward, forward).astype(np.float32)
    return backward, cv2.erode(reliable, np.ones((7, 7), np.uint8))


def repaint(
    frames: Sequence[np.ndarray],
    cuts: Collection[int],
    model: RecurrentModel,
    first: StyleModel | None = None,
) -> np.ndarray:
    """The stylized frames, (N, H, W, 3) uint8.

    frames: (H, W, 3) uint8 RGB each. cuts: the first frame of each shot but the first. first:
    paints the first frame of each shot, None for the model itself.
    """
    set_threads(1)
    finished: list[np.ndarray] = []
    for index, frame in enumerate(frames):
        if index == 0 or index in cuts:
            finished.append(
                model.step(frame, None, None) if first is None else first.paint([frame])[0]
            )
            continue
        backward, mask = past_of(frame, frames[index - 1])
        finished.append(model.step(frame, warp(finished[-1], backward), mask))
    return np.stack(finished)


def overlapped(
    frames: Sequence[np.ndarray], cuts: Collection[int], model: RecurrentModel, overlap: Overlap
) -> np.ndarray:
    """What `--pipeline overlap` makes: every shot in stretches, one after the other."""
    set_threads(1)
    bounds = [0, *sorted(cuts), len(frames)]
    finished: list[np.ndarray] = []
    for start, stop in itertools.pairwise(bounds):
        first = [start]
        while stop - first[-1] >= overlap.segment + overlap.seam_frames:
            first.append(first[-1] + overlap.segment)
        computed = [
            _computed_alone(
                frames, begin, begin - overlap.warm_up if begin > start else begin, end, model
            )
            for begin, end in zip(first, [*first[1:], stop], strict=True)
        ]
        finished += computed[0]
        for begin, before, stretch in zip(first[1:], computed[:-1], computed[1:], strict=True):
            finished += _corrected(frames, begin, before[-1], stretch, model, overlap)
    return np.stack(finished)


def _computed_alone(
    frames: Sequence[np.ndarray], begin: int, fresh: int, end: int, model: RecurrentModel
) -> list[np.ndarray]:
    """The frames [begin, end) of a past that begins with the frame `fresh`."""
    result = [model.step(frames[fresh], None, None)]
    for index in range(fresh + 1, end):
        backward, mask = past_of(frames[index], frames[index - 1])
        result.append(model.step(frames[index], warp(result[-1], backward), mask))
    return result[begin - fresh :]


def _corrected(
    frames: Sequence[np.ndarray],
    begin: int,
    before: np.ndarray,
    stretch: list[np.ndarray],
    model: RecurrentModel,
    overlap: Overlap,
) -> list[np.ndarray]:
    """A stretch with the true frame before it."""
    result = list(stretch)
    position = 0
    while True:
        index = begin + position
        backward, mask = past_of(frames[index], frames[index - 1])
        before = result[position] = model.step(frames[index], warp(before, backward), mask)
        rest = before.astype(np.float32) - stretch[position]
        position += 1
        if np.abs(rest).mean() <= overlap.tolerance or position == overlap.recompute:
            break
    for number in range(1, overlap.fade + 1):
        index = begin + position
        backward, mask = past_of(frames[index], frames[index - 1])
        rest = warp(rest, backward) * mask[..., None]
        share = np.float32(1 - number / (overlap.fade + 1))
        levels = np.rint(stretch[position] + share * rest)
        result[position] = np.clip(levels, 0, 255).astype(np.uint8)
        position += 1
    return result
