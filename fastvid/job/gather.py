"""Rank 0's two threads behind the ranks: one stores finished segments, one encodes frames in order.

Both work while the ranks compute. The storing thread alone touches the run file; it passes frames
on to the encoder in their order, from memory where they come in order and from the run file where
not. Their memory is bounded: `room` tells whether another segment may be fetched, the encoder's
queue holds a few frames. Once all frames are stored, other ranks may encode parts besides
(`fastvid.encode.sharing`).
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastvid.encode.sharing import SharedEncoding
from fastvid.encode.thread import QUEUE_FRAMES, EncoderThread
from fastvid.errors import StorageError
from fastvid.runfile.writer import RankRows, RunWriter, SegmentRecord
from fastvid.system.stopwatch import Stopwatch

# Fetched but not yet stored: at most this much, and at least this many segments. What is beyond it
# waits with the ranks, which hold no more than their lookahead.
_MAX_BACKLOG_BYTES = 48 << 20
_MIN_BACKLOG_SEGMENTS = 2
# How often the storing thread looks for room in the encoder's queue if it has something for it, and
# for other things to do if it has not.
_FEED_INTERVAL_S = 0.02
_IDLE_INTERVAL_S = 0.5
_RANKS_INTERVAL_S = 5.0


@dataclass
class _Result:
    record: SegmentRecord
    frames: list[np.ndarray]
    flows: list[np.ndarray]
    occlusions: list[np.ndarray]


# A segment to store, or the (start, stop) of frames that are stored already.
_Item = _Result | tuple[int, int]


class Gatherer:
    """Stores finished segments of one style in its run file and feeds its encoder.

    writer: the run file. encoder: not started yet. discard: free the frames of closed parts.
    shared: other ranks may take parts of the video, once all frames are stored; attribute `shared`
    is then their side of it.
    """

    def __init__(
        self,
        writer: RunWriter,
        encoder: EncoderThread,
        *,
        discard: bool,
        wake: Callable[[], None],
        shared: bool = False,
    ) -> None:
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
        self._discarded_parts = sum(stop - 1 in writer.encoded for _, stop, _ in encoder.parts)
        self.frames_stored = 0
        self.frames_continued = 0
        self.busy = Stopwatch()
        self.shared = SharedEncoding(writer, encoder, wake, self.busy) if shared else None
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

    def put(
        self,
        record: SegmentRecord,
        frames: list[np.ndarray],
        flows: list[np.ndarray],
        occlusions: list[np.ndarray],
    ) -> None:
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
        self._look_up()
        if self._thread.is_alive():
            self._thread.join()
        self._encoder.cancel()

    # -- the storing thread ----------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self._look_up()
        self._wake()

    def _look_up(self) -> None:
        """Ends the waiting of the storing thread."""
        self._queue.put(None)
        if self.shared is not None:
            self.shared.nudge()

    def _run(self) -> None:
        try:
            while not (self._errors or self._cancelled) and self._store_next():
                self._store_ranks()
                self._feed(wait=False)
            if self._errors or self._cancelled:
                self._store_the_rest()
            elif self.shared is not None:
                self._share_the_rest(self.shared)
            else:
                self._feed(wait=True)
            if not (self._errors or self._cancelled):
                self._encoder.finish()
                self._discard_closed_parts()
        except BaseException as error:  # handed to the main thread, whatever it is
            self._fail(error)
        if self.shared is not None:
            self.shared.discard()
        self._ended = True
        self._wake()

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

    def _share_the_rest(self, shared: SharedEncoding) -> None:
        """Encodes what is left, part by part, while other ranks take parts as well."""
        end = shared.begin(self._next_frame, self._known_stop)
        while not (self._errors or self._cancelled):
            self._feed(wait=False, end=end)
            if self._next_frame == end:
                part = shared.take()
                if part is not None:
                    self._next_frame, end = part
                    continue
                if not shared.left():
                    return
            shared.serve(_FEED_INTERVAL_S if self._next_frame < end else _IDLE_INTERVAL_S)
            self._discard_closed_parts()
            self._store_ranks()

    def _take(self, item: _Item) -> None:
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
        self._wake()

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
        for start, stop, _ in self._encoder.parts[self._discarded_parts :]:
            self._writer.mark_encoded(start, stop)
            # The part's last frame stays until the next part is closed: if the run is continued
            # from here, the next segment needs it.
            self._writer.free(max(0, start - 1), stop - 1)
            self._discarded_parts += 1
