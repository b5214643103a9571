"""The encoding of a job that is played through: rank 0's encoder, and the parts that ranks take
instead of segments (see `fastvid.parallel.encoders`)."""

from collections.abc import Callable

from fastvid.commands.plan.simulated import PartTask, Segment
from fastvid.encode.encoded_parts import end_of_part
from fastvid.encode.shared_parts import Part, PartPool

# Does what it is given after so many seconds.
After = Callable[[float, Callable[[], None]], None]


class SimulatedEncoding:
    """The parts of a film of so many frames, and rank 0's encoder, which takes frame_s for each.

    after: does something later. may_begin: asked before rank 0 begins a part while frames are still
    to come. encodes: told of each frame that rank 0 encodes; how much longer that takes where it
    gives way to what the rank does besides, as a factor. shared: others may take parts.
    """

    def __init__(
        self,
        frames: int,
        part_frames: int,
        frame_s: float,
        *,
        after: After,
        may_begin: Callable[[], bool],
        encodes: Callable[[], float],
        shared: bool,
    ) -> None:
        self._frames = frames
        self._frame_s = frame_s
        self._after = after
        self._may_begin = may_begin
        self._encodes = encodes
        self._shared = shared
        self._pool = PartPool(0, lambda first: end_of_part(first, part_frames, frames))
        self._stored: set[int] = set()
        self._known = 0
        self._next = self._stop = 0
        self._at_work = False

    def store(self, segment: Segment) -> None:
        """A segment is stored."""
        if not self._frame_s:
            return
        self._stored.update(range(segment.start, segment.stop))
        self._known = max(self._known, segment.stop)
        self._pool.grow(self._known, self._has)
        if self._all_stored():
            self._pool.end(self._frames)
            self._stop = min(self._stop, self._frames)
        self._encode()

    def lend(self) -> PartTask | None:
        """A part for another rank, None if there is none."""
        part = self._pool.lend() if self._shared else None
        return part and PartTask(*part)

    def settle(self, part: PartTask) -> None:
        """A rank has encoded its part."""
        self._pool.settle((part.start, part.stop), complete=True)

    def _has(self, start: int, stop: int) -> bool:
        return all(index in self._stored for index in range(start, stop))

    def _all_stored(self) -> bool:
        return len(self._stored) == self._frames

    def _encode(self) -> None:
        """Lets rank 0's encoder go on, if it waits and the next frame is there."""
        if self._at_work:
            return
        if self._next >= self._stop:
            part = self._take()
            if part is None:
                return
            self._next, self._stop = part
        if self._next in self._stored:
            self._at_work = True
            longer = self._encodes()
            self._after(self._frame_s * (longer if self._shared else 1.0), self._encoded)

    def _take(self) -> Part | None:
        if self._shared and not self._all_stored() and not self._may_begin():
            return None
        return self._pool.take()

    def _encoded(self) -> None:
        self._at_work = False
        self._next += 1
        self._encode()
