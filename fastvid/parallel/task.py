"""A segment at work on a rank: how far it has come, and how long it took."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fastvid.stages import STAGES, Motion, Stage


@dataclass
class StageTime:
    """When a stage of a segment first began (seconds since the epoch), and the seconds it took."""

    start: float = 0.0
    seconds: float = 0.0

    def add(self, began: float, seconds: float) -> None:
        """Counts a step that began at `began` (seconds since the epoch)."""
        self.start = self.start or began
        self.seconds += seconds


@dataclass
class Task:
    """A segment at work on a rank.

    frames: its input images. halo: the input image before them, None where the segment begins its
    shot. boundary: the finished frame before the segment, once it is there.
    """

    index: int
    start: int
    frames: Sequence[np.ndarray]
    halo: np.ndarray | None
    boundary: np.ndarray | None = None
    motions: list[Motion | None] = field(default_factory=list)
    painted: list[np.ndarray | None] = field(default_factory=list)
    finished: list[np.ndarray] = field(default_factory=list)
    times: dict[Stage, StageTime] = field(
        default_factory=lambda: {stage: StageTime() for stage in STAGES}
    )

    def next_step(self) -> Stage | None:
        """The next heavy stage of a rank that paints frame by frame, None if all are done."""
        if len(self.motions) > len(self.painted):
            return Stage.PAINT
        return Stage.MOTION if self.needs_motion() else None

    def needs_motion(self) -> bool:
        """Whether there is a frame whose motion is not known yet."""
        return len(self.motions) < len(self.frames)

    def heavy_frames_left(self) -> int:
        """How many frames still need motion or paint, the one at work included."""
        return len(self.frames) - min(len(self.motions), len(self.painted))

    def can_blend(self) -> bool:
        """Whether the next frame in order is ready and the frame before it is finished."""
        position = len(self.finished)
        if position >= min(len(self.motions), len(self.painted)):
            return False
        return position > 0 or self.halo is None or self.boundary is not None

    def complete(self) -> bool:
        """Whether all frames are finished."""
        return len(self.finished) == len(self.frames)
