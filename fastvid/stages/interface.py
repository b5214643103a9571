"""The stages of a frame, as the ranks see them: what is computed, not how.

The real ones are in `fastvid.stages.repaint`; benchmarks put sleeping ones in their place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

# What the stages of a run prepare of a motion for their temporal pass.
P = TypeVar("P")


class Stage(Enum):
    """The stages that a segment is timed by."""

    MOTION = "motion"  # optical flow, consistency mask, trust gate
    PAINT = "paint"  # the frame model and the looks
    BLEND = "blend"  # the temporal pass


STAGES = tuple(Stage)


@dataclass(frozen=True)
class Motion(Generic[P]):
    """What the temporal pass needs to know of one frame against the frame before it.

    prepared: whatever `Stages.blend` wants. backward: (H, W, 2) float32 and reliable: (H, W) bool,
    kept only where they are to be stored.
    """

    prepared: P
    backward: np.ndarray | None = None
    reliable: np.ndarray | None = None


class Stages(Protocol[P]):
    """The work on a frame. Film images are (H, W, 3) uint8 RGB, painted and finished ones
    (styles, H, W, 3) uint8 RGB. `blend` is called from a thread of its own, beside the others, all
    other methods from one thread."""

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[P] | None:
        """Flow, mask and gate of `frame` against the frame before it; None if they do not
        matter. number: of `frame` in the run, from 0."""

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame painted on its own."""

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[P]) -> np.ndarray:
        """The finished frame, from the painted one and the finished frame before it."""


@runtime_checkable
class RecurrentStages(Stages[P], Protocol[P]):
    """Stages whose painting is part of the recursion: `blend` is the heavy one, `paint` passes the
    frame itself on to it."""

    def begin(self, frame: np.ndarray) -> np.ndarray:
        """The finished first frame of a shot, which has no frame before it."""

    def carry(self, difference: np.ndarray, motion: Motion[P]) -> np.ndarray:
        """Differences of finished frames, (styles, H, W, 3) float32, moved on to the next frame;
        zero where the past can't be trusted."""

    def temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[P]
    ) -> float:
        """How far a finished frame is from the one before it, moved along the flow: root mean
        square in 8-bit levels, where the past can be trusted; NaN where that is nowhere."""


@runtime_checkable
class RowStages(Stages[P], Protocol[P]):
    """Stages whose temporal pass may go through a frame from the top to the bottom, some rows at a
    time, so that the next frame can be begun before this one is finished."""

    def rows_needed(self, motion: Motion[P], first: int, stop: int) -> int | None:
        """Up to which row the finished frame before must be known for the rows [first, stop); None
        where the frame must be taken as a whole, by `blend`."""

    def blend_rows(
        self,
        painted: np.ndarray,
        previous: np.ndarray,
        motion: Motion[P],
        first: int,
        stop: int,
        finished: np.ndarray,
    ) -> None:
        """The rows [first, stop) of `blend`, into those of `finished`, of the same shape. Of
        `previous` the rows before `rows_needed` are there."""


def paints_alone(stages: Stages[Any]) -> Callable[[np.ndarray], np.ndarray]:
    """What makes the finished frame of a film image that has no frame before it."""
    return stages.begin if isinstance(stages, RecurrentStages) else stages.paint


class PendingBatch(Protocol):
    """Frames that are being painted."""

    def ready(self) -> bool:
        """Whether `images` would not have to wait."""

    def images(self) -> list[np.ndarray]:
        """The painted frames, in the order in which they were given; waits for them."""


@runtime_checkable
class BatchStages(Stages[P], Protocol[P]):
    """Stages that can paint several frames at a time, beside what else the thread does.

    batch_size: at most so many at a time; with 1, frames are painted one by one with `paint`. How
    a frame is painted must not depend on the others of its batch, nor on their number.
    """

    batch_size: int

    def begin_batch(self, frames: Sequence[np.ndarray]) -> PendingBatch:
        """Begins to paint frames of one size, at least one."""


@runtime_checkable
class WeighingStages(Protocol):
    """Stages of a picture with parts."""

    def kept_weights(self, frame: np.ndarray) -> np.ndarray | None:
        """The share of each region of a frame that is to be stored, (regions, H, W) uint8, 255 for
        all of a pixel; None if nothing is."""


def kept_flow(motion: Motion[P] | None, frame: np.ndarray) -> np.ndarray:
    """The backward flow to store, (H, W, 2) float32; zero where `frame` has none."""
    if motion is None or motion.backward is None:
        return np.zeros((*frame.shape[:2], 2), dtype=np.float32)
    return motion.backward


def kept_occlusion(motion: Motion[P] | None, frame: np.ndarray) -> np.ndarray:
    """The mask to store, (H, W) uint8: 1 where the flow can't be trusted or is not known."""
    if motion is None or motion.reliable is None:
        return np.ones(frame.shape[:2], dtype=np.uint8)
    return (~motion.reliable).astype(np.uint8)
