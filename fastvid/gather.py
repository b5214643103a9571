"""Rank 0's two threads behind the ranks: one stores finished segments, one encodes frames in order.

Once all frames are stored, other ranks may encode parts besides (`fastvid.parallel.helpers`).

Both work while the ranks compute. The storing thread alone touches the run file; it passes frames
on to the encoder in their order, from memory where they come in order and from the run file where
not. Their
memory is bounded: `room` tells whether another segment may be fetched, the encoder's queue holds a
few frames.
"""

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from fastvid.busy import BusyClock
from fastvid.encode_thread import QUEUE_FRAMES, EncoderThread
from fastvid.errors import StorageError
from fastvid.parallel.bell import Alarm
from fastvid.runfile.writer import RankRows, RunWriter, SegmentRecord
from fastvid.shared_parts import Arrivals, PartPool

# Fetched but not yet stored: at most this much, and at least this many segments. What is beyond it
# waits with the ranks, which hold no more than their lookahead.
_MAX_BACKLOG_BYTES = 48 << 20
_MIN_BACKLOG_SEGMENTS = 2
# How often the storing thread looks for room in the encoder's queue if it has something for it, and
# for other things to do if it has not.
_FEED_INTERVAL_S = 0.02
_IDLE_INTERVAL_S = 0.5
_RANKS_INTERVAL_S = 5.0
# Frames that were read for other ranks and are not on their way yet: at most about this much.
_MAX_PICTURES_BYTES = 16 << 20


@dataclass
class _Result:
    record: SegmentRecord
    frames: list[np.ndarray]
    flows: list[np.ndarray]
    occlusions: list[np.ndarray]


@dataclass
class _Wanted:
    """Frames [start, stop) that a rank needs for a part that it encodes."""

    rank: int
    start: int
    stop: int


@dataclass
class _Arrived:
    """Bytes of a part that another rank encodes. last: it is complete with them; lost: it will not
    come."""

    part: tuple[int, int]
    content: bytes
    last: bool = False
    lost: bool = False


# A segment to store, or the (start, stop) of frames that are stored already; or what other ranks
# need and bring that encode parts. None: look again.
_Item = _Result | tuple[int, int] | _Wanted | _Arrived
Pictures = tuple[int, np.ndarray, list[np.ndarray]]


class Gatherer:
    """Stores finished segments of one style in its run file and feeds its encoder.

    writer: the run file. encoder: not started yet. discard: free the frames of closed parts.
    shared: other ranks take parts of the video, once all frames are stored.
    """

    def __init__(self, writer: RunWriter, encoder: EncoderThread, *, discard: bool,
                 wake: Alarm, shared: bool = False) -> None:
        self._writer = writer
        self._encoder = encoder
        self._discard = discard
        self._wake = wake
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._backlog = 0
        self._segment_bytes = 0  # until one is here
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []
        self._cancelled = False
        self._ended = False
        self._rank_rows: RankRows = []
        self._ranks_noted = 0.0
        encoder.failed = self._fail
        self._next_frame = encoder.next_frame
        # Stored, and soon to be encoded: the frame, its timestamp and duration.
        self._at_hand: dict[int, tuple[np.ndarray, int, int]] = {}
        self._known_stop = 0
        self._pool = PartPool([])
        self._arrivals = Arrivals(encoder.folder) if shared else None
        self._wanted: deque[_Wanted] = deque()
        self._pictures: queue.SimpleQueue[Pictures] = queue.SimpleQueue()
        self._pictures_bytes = 0
        self._discarded_parts = sum(stop - 1 in writer.encoded for _, stop, _ in encoder.parts)
        self.frames_stored = 0
        self.frames_continued = 0
        self.busy = BusyClock()
        self._thread = threading.Thread(target=self._run, name="fastvid-store", daemon=True)

    # -- the coordinator's side ------------------------------------------------------------------

    def has(self, start: int, stop: int) -> bool:
        """Whether the frames [start, stop) were stored before this run began."""
        return self._writer.has(start, stop)

    def room(self) -> bool:
        """Whether another segment may be fetched now."""
        with self._lock:
            if self._backlog < _MIN_BACKLOG_SEGMENTS:
                return True
            # All ranks finish their first segments at about the same time.
            known = self._segment_bytes > 0
            return known and (self._backlog + 1) * self._segment_bytes <= _MAX_BACKLOG_BYTES

    def expect(self) -> None:
        """Notes that a segment is on its way here."""
        with self._lock:
            self._backlog += 1

    def put(self, record: SegmentRecord, frames: list[np.ndarray], flows: list[np.ndarray],
            occlusions: list[np.ndarray]) -> None:
        """Takes a finished segment, in any order."""
        size = sum(a.nbytes for group in (frames, flows, occlusions) for a in group)
        with self._lock:
            self._segment_bytes = max(self._segment_bytes, size)
        self._queue.put(_Result(record, frames, flows, occlusions))

    def skip(self, start: int, stop: int) -> None:
        """Notes frames that were stored by an earlier run."""
        self.frames_continued += stop - start
        self._queue.put((start, stop))

    def stored_frame(self, index: int) -> np.ndarray:
        """A frame stored by an earlier run (HDF5 calls are serialised by h5py)."""
        return self._writer.read_frame(index)

    def note_ranks(self, rows: RankRows) -> None:
        """What was last heard of each rank; goes into the run file every few seconds."""
        self._rank_rows = rows

    # -- parts that other ranks encode: the main thread's side -----------------------------------

    @property
    def encoder_threads(self) -> int:
        """Of each encoder of this style; what it writes may depend on them."""
        return self._encoder.threads

    def plan_text(self) -> str:
        """How a part is to be encoded."""
        return self._encoder.plan.text()

    def lend_part(self) -> tuple[int, int] | None:
        """The frames [first, stop) of a part for another rank; None if there is none, or none
        yet."""
        return self._pool.lend()

    def want(self, rank: int, start: int, stop: int) -> None:
        """Asks for stored frames, which come out of `pictures`."""
        self._queue.put(_Wanted(rank, start, stop))

    def pictures(self) -> Pictures | None:
        """The next frames that were asked for: the rank, their times (N, 2) int64, and they."""
        try:
            pictures = self._pictures.get_nowait()
        except queue.Empty:
            return None
        with self._lock:
            self._pictures_bytes -= sum(image.nbytes for image in pictures[2])
        return pictures

    def arrived(self, part: tuple[int, int], content: bytes, last: bool) -> None:
        """Takes the next bytes of a part that was lent."""
        self._queue.put(_Arrived(part, content, last))

    def returned(self, part: tuple[int, int]) -> None:
        """A part that was lent will not come."""
        self._queue.put(_Arrived(part, b"", lost=True))

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts both threads."""
        self._encoder.start()
        self._thread.start()

    def check(self) -> None:
        """Raises what went wrong in one of the threads, if anything did."""
        if self._errors:
            raise self._errors[0]

    def finish(self) -> None:
        """Says that all segments were put; returns at once, `alive` tells when all is done."""
        self._queue.put(None)

    def alive(self) -> bool:
        """Whether frames are still being stored or encoded; `wake` is set when that ends."""
        return not self._ended

    def cancel(self) -> None:
        """Stops both threads; what is stored stays stored. Harmless when called again."""
        self._cancelled = True
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._encoder.cancel()

    # -- the storing thread ----------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self._queue.put(None)
        self._wake.set()

    def _run(self) -> None:
        try:
            while not (self._errors or self._cancelled) and self._store_next():
                self._store_ranks()
                self._feed(wait=False)
            if self._errors or self._cancelled:
                self._store_the_rest()
            elif self._arrivals is not None:
                self._share_the_rest(self._arrivals)
            else:
                self._feed(wait=True)
            if not (self._errors or self._cancelled):
                self._encoder.finish()
                self._discard_closed_parts()
        except BaseException as error:  # handed to the main thread, whatever it is
            self._fail(error)
        if self._arrivals is not None:
            self._arrivals.discard_all()
        self._ended = True
        self._wake.set()

    def _store_next(self) -> bool:
        """Stores the next segment, if there is one before it is time for something else; false at
        the end."""
        waiting = self._next_frame in self._writer.stored
        try:
            item = self._queue.get(timeout=_FEED_INTERVAL_S if waiting else _IDLE_INTERVAL_S)
        except queue.Empty:
            return True
        if item is not None:
            self._take(item)
        return item is not None

    def _store_ranks(self) -> None:
        now = time.monotonic()
        if self._rank_rows and now - self._ranks_noted > _RANKS_INTERVAL_S:
            self._ranks_noted = now
            self._writer.note_ranks(self._rank_rows)

    def _store_the_rest(self) -> None:
        """What has arrived is finished and must not be lost, unless it is storing that fails."""
        while not any(isinstance(error, StorageError) for error in self._errors):
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if item is not None:
                self._take(item)

    def _share_the_rest(self, arrivals: Arrivals) -> None:
        """Encodes what is left, part by part, while other ranks take parts as well."""
        end = self._next_frame
        if self._next_frame % self._encoder.part_frames:  # the part at hand
            end = min(self._encoder.part_end(self._next_frame - 1), self._known_stop)
        self._pool = PartPool(self._parts(end))
        self._wake.set()
        while not (self._errors or self._cancelled):
            self._feed(wait=False, end=end)
            if self._next_frame == end:
                part = self._pool.take()
                if part is not None:
                    self._next_frame, end = part
                    continue
                if not self._pool.left():
                    return
            self._read_wanted()
            busy = self._next_frame < end or self._wanted
            try:
                item = self._queue.get(timeout=_FEED_INTERVAL_S if busy else _IDLE_INTERVAL_S)
            except queue.Empty:
                continue
            if isinstance(item, _Wanted):
                self._wanted.append(item)
            elif isinstance(item, _Arrived):
                with self.busy:
                    self._take_encoded(item, arrivals)

    def _parts(self, start: int) -> list[tuple[int, int]]:
        """The parts of the frames from `start` on."""
        parts = []
        while start < self._known_stop:
            stop = min(self._encoder.part_end(start), self._known_stop)
            parts.append((start, stop))
            start = stop
        return parts

    def _read_wanted(self) -> None:
        """Reads what other ranks want, as far as there is room for it."""
        while self._wanted and self._pictures_bytes < _MAX_PICTURES_BYTES:
            wanted = self._wanted.popleft()
            with self.busy:
                indices = range(wanted.start, wanted.stop)
                times = np.array([self._writer.read_time(index) for index in indices], np.int64)
                images = [self._writer.read_frame(index) for index in indices]
            with self._lock:
                self._pictures_bytes += sum(image.nbytes for image in images)
            self._pictures.put((wanted.rank, times, images))
            self._wake.set()

    def _take_encoded(self, item: _Arrived, arrivals: Arrivals) -> None:
        first, stop = item.part
        if item.lost:
            arrivals.discard(first)
            self._pool.settle(item.part, complete=False)
            self._wake.set()
            return
        arrivals.add(first, item.content)
        if item.last:
            self._encoder.add_part(first, stop, arrivals.complete(first))
            self._pool.settle(item.part, complete=True)
            self._discard_closed_parts()

    def _take(self, item: _Item) -> None:
        if isinstance(item, (_Wanted, _Arrived)):
            return  # of a run that breaks off
        if isinstance(item, _Result):
            start, stop = item.record.start, item.record.stop
            with self.busy:
                self._store(item)
            with self._lock:
                self._backlog -= 1
        else:
            start, stop = item
        self.frames_stored += stop - start
        self._known_stop = max(self._known_stop, stop)
        self._wake.set()

    def _store(self, item: _Result) -> None:
        record = item.record
        if self._writer.has(record.start, record.stop):
            return  # by an earlier run, which lacked the segment in another style
        self._writer.store(record, item.frames, item.flows, item.occlusions)
        if record.start < self._next_frame + QUEUE_FRAMES:
            indices = range(record.start, record.stop)
            self._at_hand.update(zip(indices, zip(item.frames, record.pts, record.durations)))

    def _feed(self, wait: bool, end: int | None = None) -> None:
        """Passes frames on to the encoder, as long as the next in order is stored and it has
        room; up to frame `end`, if there is one."""
        end = self._known_stop if end is None else end
        while self._next_frame < end and self._next_frame in self._writer.stored:
            if self._errors or self._cancelled or not (wait or self._encoder.room()):
                return
            index = self._next_frame
            what = self._at_hand.pop(index, None)
            if what is None:
                with self.busy:
                    what = (self._writer.read_frame(index), *self._writer.read_time(index))
            self._encoder.put(index, *what)
            self._next_frame += 1
            self._discard_closed_parts()

    def _discard_closed_parts(self) -> None:
        if not self._discard:
            return
        for start, stop, _ in self._encoder.parts[self._discarded_parts:]:
            self._writer.mark_encoded(start, stop)
            # The part's last frame stays until the next part is closed: if the run is continued
            # from here, the next segment needs it.
            self._writer.free(max(0, start - 1), stop - 1)
            self._discarded_parts += 1
