"""What rank 0 does for the ranks that encode parts of one video (`fastvid.parallel.encoders`).

The storing thread alone touches the run file and the parts: it reads the frames that those ranks
want, and writes what they have encoded. The main thread, which talks to them, is never held up.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.plan import OutputPlan
from fastvid.encode.shared_parts import ArrivingParts, Part, PartPool
from fastvid.runfile.writer import RunWriter
from fastvid.system.stopwatch import Stopwatch

# Frames that were read for other ranks and are not on their way yet: at most about this much. None
# are read while as much of what those ranks have encoded waits to be written.
_MAX_WAITING_BYTES = 16 << 20
# Requests for frames that may wait to be read before those who encode are too many.
_MAX_UNREAD = 8
# The rank that wanted them, their times (N, 2) int64: timestamp and duration, and the images.
Pictures = tuple[int, np.ndarray, list[np.ndarray]]


class SharedEncoding:
    """The parts of one video that are not encoded yet; ranks may share them.

    threads: of each encoder; what it writes may depend on them. wake: called when there is
    something for the main thread. ask: has the storing thread do something soon. busy: counts what
    reading and writing take.
    """

    def __init__(
        self,
        writer: RunWriter,
        parts: EncodedParts,
        threads: int,
        *,
        wake: Callable[[], object],
        ask: Callable[[Callable[[], None]], object],
        busy: Stopwatch,
    ) -> None:
        self.threads = threads
        self._writer = writer
        self._parts = parts
        self._wake = wake
        self._ask = ask
        self._busy = busy
        self._pool = PartPool(parts.next_frame, parts.end_of_part)
        self._arriving = ArrivingParts(parts.folder)
        # Frames [start, stop) that a rank needs for its part.
        self._wanted: deque[tuple[int, int, int]] = deque()
        self._pictures: queue.SimpleQueue[Pictures] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pictures_bytes = self._arrived_bytes = 0

    # -- the main thread's side ------------------------------------------------------------------

    @property
    def plan(self) -> OutputPlan:
        """How a part is to be encoded."""
        return self._parts.plan

    def lend(self) -> Part | None:
        """A part for another rank, all of whose frames are stored; None if there is none, or none
        yet."""
        return self._pool.lend()

    def behind(self) -> bool:
        """Whether the ranks that encode wait for more frames than are read at a time."""
        return len(self._wanted) > _MAX_UNREAD

    def want(self, rank: int, start: int, stop: int) -> None:
        """Asks for the stored frames [start, stop), which come out of `pictures`."""
        self._wanted.append((rank, start, stop))
        self._ask(self.read_wanted)

    def pictures(self) -> Pictures | None:
        """The next frames that somebody wanted; None if there are none."""
        try:
            pictures = self._pictures.get_nowait()
        except queue.Empty:
            return None
        with self._lock:
            self._pictures_bytes -= sum(image.nbytes for image in pictures[2])
        self._ask(self.read_wanted)  # there is room for more
        return pictures

    def arrived(self, part: Part, content: bytes, last: bool) -> None:
        """Takes the next bytes of a part that was lent, the last ones or not."""
        with self._lock:
            self._arrived_bytes += len(content)
        self._ask(partial(self._take_encoded, part, content, last))

    def returned(self, part: Part) -> None:
        """A part that was lent will not come."""
        self._ask(partial(self._take_back, part))

    # -- the storing thread's side ---------------------------------------------------------------

    def grow(self, known: int) -> None:
        """Looks which parts are stored as a whole by now. known: the frames before it are stored,
        or will be."""
        if self._pool.grow(known, self._writer.has):
            self._wake()

    def end(self, stop: int) -> None:
        """All frames are stored, those before `stop`."""
        self._pool.end(stop)
        self._wake()

    def take(self) -> Part | None:
        """The next part to be encoded here, whose frames may still be to come; None if there is
        none any more."""
        return self._pool.take()

    def left(self) -> bool:
        """Whether there are parts that nobody has begun, or that have not come back."""
        return self._pool.left()

    def discard(self) -> None:
        """Removes what has not arrived whole."""
        self._arriving.discard_all()

    def read_wanted(self) -> None:
        """Reads what other ranks want, as far as there is room for it. Raises StorageError."""
        while (
            self._wanted
            and self._pictures_bytes < _MAX_WAITING_BYTES
            and self._arrived_bytes < _MAX_WAITING_BYTES
        ):
            rank, start, stop = self._wanted.popleft()
            with self._busy:
                indices = range(start, stop)
                times = np.array([self._writer.read_time(index) for index in indices], np.int64)
                images = [self._writer.read_frame(index) for index in indices]
            with self._lock:
                self._pictures_bytes += sum(image.nbytes for image in images)
            self._pictures.put((rank, times, images))
            self._wake()

    def _take_encoded(self, part: Part, content: bytes, last: bool) -> None:
        first, stop = part
        with self._busy:
            self._arriving.add(first, content)
            with self._lock:
                self._arrived_bytes -= len(content)
            if last:
                self._parts.add(first, stop, self._arriving.complete(first))
                self._pool.settle(part, complete=True)
        self.read_wanted()

    def _take_back(self, part: Part) -> None:
        self._arriving.discard(part[0])
        self._pool.settle(part, complete=False)
