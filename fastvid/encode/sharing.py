"""What rank 0 does for the ranks that encode parts of one video (`fastvid.parallel.encoders`).

The storing thread alone touches the run file and the parts: it reads the frames that those ranks
want, and writes what they have encoded. The main thread, which talks to them, is never held up.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastvid.encode.plan import OutputPlan
from fastvid.encode.pool import Arrivals, Part, PartPool
from fastvid.encode.thread import EncoderThread
from fastvid.runfile.writer import RunWriter
from fastvid.system.clock import BusyClock

# Frames that were read for other ranks and are not on their way yet: at most about this much. None
# are read while as much of what those ranks have encoded waits to be written.
_MAX_WAITING_BYTES = 16 << 20
# The rank that wanted them, their times (N, 2) int64: timestamp and duration, and the images.
Pictures = tuple[int, np.ndarray, list[np.ndarray]]


@dataclass(frozen=True)
class _Wanted:
    """Frames [start, stop) that a rank needs for its part."""

    rank: int
    start: int
    stop: int


@dataclass(frozen=True)
class _Arrived:
    """Bytes of a part. last: it is complete with them. lost: it will not come."""

    part: Part
    content: bytes
    last: bool = False
    lost: bool = False


class SharedEncoding:
    """The parts of one video that the ranks share, once all frames are stored.

    wake: set when there is something for the main thread. busy: counts what reading and writing
    take.
    """

    def __init__(
        self, writer: RunWriter, encoder: EncoderThread, wake: Callable[[], None], busy: BusyClock
    ) -> None:
        self._writer = writer
        self._encoder = encoder
        self._wake = wake
        self._busy = busy
        self._pool = PartPool([])
        self._arrivals = Arrivals(encoder.folder)
        self._mail: queue.SimpleQueue[_Wanted | _Arrived | None] = queue.SimpleQueue()
        self._wanted: deque[_Wanted] = deque()
        self._pictures: queue.SimpleQueue[Pictures] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pictures_bytes = self._arrived_bytes = 0

    # -- the main thread's side ------------------------------------------------------------------

    @property
    def threads(self) -> int:
        """Of each encoder; what it writes may depend on them."""
        return self._encoder.threads

    @property
    def plan(self) -> OutputPlan:
        """How a part is to be encoded."""
        return self._encoder.plan

    def lend(self) -> Part | None:
        """A part for another rank; None if there is none, or none yet."""
        return self._pool.lend()

    def want(self, rank: int, start: int, stop: int) -> None:
        """Asks for the stored frames [start, stop), which come out of `pictures`."""
        self._mail.put(_Wanted(rank, start, stop))

    def pictures(self) -> Pictures | None:
        """The next frames that somebody wanted; None if there are none."""
        try:
            pictures = self._pictures.get_nowait()
        except queue.Empty:
            return None
        with self._lock:
            self._pictures_bytes -= sum(image.nbytes for image in pictures[2])
        self.nudge()  # there is room for more
        return pictures

    def arrived(self, part: Part, content: bytes, last: bool) -> None:
        """Takes the next bytes of a part that was lent, the last ones or not."""
        with self._lock:
            self._arrived_bytes += len(content)
        self._mail.put(_Arrived(part, content, last))

    def returned(self, part: Part) -> None:
        """A part that was lent will not come."""
        self._mail.put(_Arrived(part, b"", lost=True))

    def nudge(self) -> None:
        """Ends the waiting of `serve`; from any thread."""
        self._mail.put(None)

    # -- the storing thread's side ---------------------------------------------------------------

    def begin(self, next_frame: int, stop: int) -> int:
        """Opens the parts of the frames up to `stop` to all; where the part ends that the encoder
        here is at. next_frame: the first that it has not been given."""
        end = next_frame
        if next_frame % self._encoder.part_frames:
            end = min(self._encoder.part_end(next_frame - 1), stop)
        parts, start = [], end
        while start < stop:
            parts.append((start, min(self._encoder.part_end(start), stop)))
            start = parts[-1][1]
        self._pool = PartPool(parts)
        self._wake()
        return end

    def take(self) -> Part | None:
        """The next part to be encoded here; None if there is none."""
        return self._pool.take()

    def left(self) -> bool:
        """Whether there are parts that nobody has begun, or that have not come back."""
        return self._pool.left()

    def serve(self, timeout_s: float) -> None:
        """Reads what is wanted, as far as there is room for it, and takes one thing that has
        arrived, if there is one within `timeout_s`. Raises StorageError."""
        self._read_wanted()
        try:
            item = self._mail.get(timeout=timeout_s)
        except queue.Empty:
            return
        if isinstance(item, _Wanted):
            self._wanted.append(item)
        elif isinstance(item, _Arrived):
            with self._busy:
                self._take_encoded(item)

    def discard(self) -> None:
        """Removes what has not arrived whole."""
        self._arrivals.discard_all()

    def _read_wanted(self) -> None:
        while (
            self._wanted
            and self._pictures_bytes < _MAX_WAITING_BYTES
            and self._arrived_bytes < _MAX_WAITING_BYTES
        ):
            wanted = self._wanted.popleft()
            with self._busy:
                indices = range(wanted.start, wanted.stop)
                times = np.array([self._writer.read_time(index) for index in indices], np.int64)
                images = [self._writer.read_frame(index) for index in indices]
            with self._lock:
                self._pictures_bytes += sum(image.nbytes for image in images)
            self._pictures.put((wanted.rank, times, images))
            self._wake()

    def _take_encoded(self, item: _Arrived) -> None:
        first, stop = item.part
        if item.lost:
            self._arrivals.discard(first)
            self._pool.settle(item.part, complete=False)
            return
        self._arrivals.add(first, item.content)
        with self._lock:
            self._arrived_bytes -= len(item.content)
        if item.last:
            self._encoder.add_part(first, stop, self._arrivals.complete(first))
            self._pool.settle(item.part, complete=True)
