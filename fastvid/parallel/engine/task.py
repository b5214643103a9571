"""A segment at work on a rank: how far it has come, and how long it took."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastvid.stages.interface import STAGES, Motion, Stage


@dataclass
class StageTime:
    """When a stage of a segment first began (seconds since the epoch), and the seconds it took."""

    start: float = 0.0
    seconds: float = 0.0

    def add(self, began: float, seconds: float) -> None:
        """Counts a step that began at `began` (seconds since the epoch)."""
        self.start = self.start or began
        self.seconds += seconds

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Counts the block as a step, if it raises nothing."""
        began, clock = time.time(), time.perf_counter()
        yield
        self.add(began, time.perf_counter() - clock)


@dataclass(frozen=True)
class Place:
    """Where a segment belongs.

    Frames [start, stop) are its own. Before them come `warm_up` frames for it to warm up or, with
    `has_halo`, the one before it. group: see `Task`.
    """

    index: int
    start: int
    stop: int
    has_halo: bool = False
    warm_up: int = 0
    group: int = -1

    @property
    def first(self) -> int:
        """The first of the frames that the segment takes."""
        return self.start - self.warm_up - self.has_halo

    def task(self, images: Sequence[np.ndarray]) -> "Task":
        """The task with these images, from frame `first` on."""
        return Task(
            self.index,
            self.start - self.warm_up,
            images[self.has_halo :],
            images[0] if self.has_halo else None,
            warm_up=self.warm_up,
            group=self.group,
        )


@dataclass(frozen=True)
class LastFrame:
    """The last frame of a segment is finished: the next segment of the shot may want it."""

    segment: int
    image: np.ndarray


@dataclass(frozen=True)
class LastRows:
    """So much of the last frame of a segment is finished: rows from `first` on, (styles, rows, W,
    3). They come in order; height: of the whole frame."""

    segment: int
    first: int
    image: np.ndarray
    height: int


class Band(NamedTuple):
    """Some rows of a frame, up to `stop`. needed: so many rows of the frame before it takes."""

    stop: int
    needed: int


@dataclass
class PartlyFinished:
    """A finished frame, as far as it is: (styles, H, W, 3), of which so many rows count."""

    image: np.ndarray
    rows: int = 0


@dataclass
class Task:
    """A segment at work on a rank.

    frames: its input images. halo: the input image before them, None where the segment begins its
    shot. boundary: the finished frame before the segment, once it is there; arriving: as long as
    only some of its rows are. bands: of each frame whose motion is known, from the top; none where
    the temporal pass takes it as a whole. begun: the frames behind
    those that are finished, which are so in part. warm_up: so many of the
    frames come before the segment, for it to warm up without its past, and the segment waits for
    its correction; `start` is the first of all frames. group: segments of one stretch have the
    same. weights: of the regions of its frames, if they are kept. errors: temporal errors of the
    finished frames, if somebody wants them.
    """

    index: int
    start: int
    frames: Sequence[np.ndarray]
    halo: np.ndarray | None
    boundary: np.ndarray | None = None
    arriving: PartlyFinished | None = None
    warm_up: int = 0
    group: int = -1
    bands: list[tuple[Band, ...]] = field(default_factory=list)
    begun: list[PartlyFinished] = field(default_factory=list)
    motions: list[Motion[Any] | None] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    painted: list[np.ndarray | None] = field(default_factory=list)
    finished: list[np.ndarray] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
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
        return (position < min(len(self.motions), len(self.painted))) and self.past_is_known()

    def past_is_known(self) -> bool:
        """Whether the frame before the next one in order is finished, if it takes one."""
        return bool(self.finished) or self.halo is None or self.boundary is not None

    def frames_left(self) -> int:
        """How many frames are not finished."""
        return len(self.frames) - len(self.finished)

    def frames_ahead(self) -> int:
        """Of how many unfinished frames the motion is known."""
        return len(self.motions) - len(self.finished)

    def complete(self) -> bool:
        """Whether all frames are finished."""
        return len(self.finished) == len(self.frames)
