"""What moves in a job that is played through: segments, tasks, steps and ranks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from fastvid.decode.frame import NO_IMAGE, Frame
from fastvid.parallel.segments import SegmentLengths, cut_into_segments


@dataclass(frozen=True)
class Segment:
    """A segment of the film, from frame `start` on."""

    index: int
    start: int
    length: int
    begins_shot: bool

    @property
    def stop(self) -> int:
        """The frame behind it."""
        return self.start + self.length


@dataclass
class Task:
    """A segment at work; how many of its frames have come how far."""

    segment: Segment
    has_boundary: bool
    moved: int = 0
    painted: int = 0
    finished: int = 0

    def can_blend(self) -> bool:
        """Whether its next frame can be finished: painted, and the one before is known."""
        return self.finished < self.painted and (self.finished > 0 or self.has_boundary)


@dataclass
class PartTask:
    """A part of the video [start, stop) at a rank; how many of its frames that has encoded."""

    start: int
    stop: int
    encoded: int = 0

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.stop - self.start


@dataclass
class Step:
    """A heavy step at work: what of `task` it counts up, when it ends; paused, what is left."""

    task: Task | PartTask
    counter: str
    left_s: float
    ends_s: float = 0.0
    paused: bool = True


@dataclass
class Rank:
    """A rank and what it holds. speed: of its core. part: what it encodes. owed_s: work of rank 0
    for all others that is still to be taken from its steps."""

    number: int
    speed: float
    tasks: list[Task] = field(default_factory=list)
    blending: bool = False
    heavy: Step | None = None
    part: PartTask | None = None
    asked: bool = False
    held: int = 0
    owed_s: float = 0.0

    def heavy_frames_left(self) -> int:
        """Frames that are still to be painted."""
        return sum(task.segment.length - task.painted for task in self.tasks)


def dealt_segments(shots: Iterable[int], lengths: SegmentLengths) -> list[Segment]:
    """The segments of shots of so many frames, as they are dealt."""
    return [
        Segment(one.index, one.start, len(one), one.begins_shot)
        for one in cut_into_segments(_frames_of(shots), lengths)
    ]


def _frames_of(shots: Iterable[int]) -> Iterator[tuple[Frame, bool]]:
    """The frames of shots of so many, each with whether a shot begins with it."""
    number = count()
    for frames in shots:
        for place in range(frames):
            yield Frame(next(number), NO_IMAGE, 0, 0), place == 0
