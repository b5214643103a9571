"""What moves in a job that is played through: segments, tasks, steps and ranks."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from fastvid.decode.frame import NO_IMAGE, Frame
from fastvid.job.load import COMPUTE_BELOW_LOAD, ENCODE_BELOW_LOAD, RANKS_ENCODE_ALONE
from fastvid.parallel.segments import SegmentLengths, cut_into_segments

_LOAD_SINCE_S = 1.0


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
    """A segment at work; how many of its frames have come how far.

    bands: of a frame, of which the temporal pass takes one at a time. known: those of the frame
    before the segment that are here, all of them where it takes none. begun: how many are finished
    of each of the frames behind the finished ones.
    """

    segment: Segment
    bands: int
    known: int
    moved: int = 0
    painted: int = 0
    finished: int = 0
    begun: list[int] = field(default_factory=list)

    def next_band(self) -> int | None:
        """The place, among the frames that are not finished, of the one whose next band can be: the
        last of all (see `fastvid.parallel.engine.bands`). None if there is none.

        A band takes the one below it, too: things move by less than that.
        """
        ready = self.painted - self.finished
        for place in reversed(range(min(len(self.begun) + 1, ready))):
            done = self.begun[place] if place < len(self.begun) else 0
            if self._before(place) >= min(done + 2, self.bands):
                return place
        return None

    def _before(self, place: int) -> int:
        """How many bands are finished of the frame before that place."""
        if place:
            return self.begun[place - 1]
        return self.bands if self.finished else self.known

    def finish_band(self, place: int) -> int:
        """Counts the next band of the frame at a place; if that is the segment's last one, how many
        of its bands are finished now, else 0."""
        if place == len(self.begun):
            self.begun.append(0)
        self.begun[place] += 1
        last = self.finished + place == self.segment.length - 1
        done = self.begun[place] if last else 0
        if self.begun[0] == self.bands:
            del self.begun[0]
            self.finished += 1
        return done


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


class Clock:
    """What happens when. now: seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Calls `event` so much later; those of one moment in the order in which they came."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), event))

    def run(self) -> None:
        """Until nothing is due any more."""
        while self._due:
            self.now, _, event = heapq.heappop(self._due)
            event()


@dataclass
class OwnWork:
    """What rank 0 of so many ranks does besides computing (see `fastvid.job.load`), so far.

    seconds: of all of it; encoding_s: of encoding what others could encode.
    """

    ranks: int
    seconds: float = 0.0
    encoding_s: float = 0.0

    def may_compute(self, now: float) -> bool:
        """Whether it may be dealt a segment."""
        return self.ranks == 1 or self.seconds / max(now, _LOAD_SINCE_S) < COMPUTE_BELOW_LOAD

    def may_encode(self, now: float) -> bool:
        """Whether it may begin a part of the video while frames are still to come."""
        besides_s = self.seconds - self.encoding_s
        few = self.ranks < RANKS_ENCODE_ALONE
        return few and besides_s / max(now, _LOAD_SINCE_S) < ENCODE_BELOW_LOAD


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
