"""Rank 0's storing thread: takes finished segments, stores them, feeds the encoders.

It works while the ranks compute, and alone touches the run files; it passes frames on to the
encoders in their order, from memory where they come in order and from the run file where not. Its
memory is bounded: `room` tells whether another segment may be fetched, an encoder's queue holds a
few frames.
"""

import queue
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.encoder_thread import EncoderThread
from fastvid.encode.shared_encoding import SharedEncoding
from fastvid.errors import StorageError
from fastvid.job.backlog import MAX_BYTES, ArrivedSegment, Backlog
from fastvid.job.output_feed import EncoderFactory, OutputFeed
from fastvid.runfile.writer import RankRows, RunWriter, SegmentRecord
from fastvid.system.stopwatch import Stopwatch
from fastvid.system.threads import BackgroundThread, Channel, Ended

# How often the storing thread looks for other things to do while no segment comes.
_IDLE_INTERVAL_S = 0.5
_RANKS_INTERVAL_S = 5.0


# What the storing thread is given: a segment to store, the (start, stop) of frames that are stored
# already, or something else to do.
_Item = ArrivedSegment | tuple[int, int] | Callable[[], None]


class Gatherer:
    """Stores finished segments of all outputs in their run files and feeds their encoders.

    outputs: of each style its run file and the parts that are encoded already, in the order in
    which a finished frame, (styles, H, W, 3), holds them. encoder_threads: of each encoder.
    discard: free the frames of closed parts. wake: called when there is something for the main
    thread. may_share: other ranks may take parts of the videos; `shared` is then their side of it,
    by style. open_encoder: makes the encoders.
    max_backlog_bytes: fetched, but not yet stored, an output.
    """

    def __init__(
        self,
        outputs: Sequence[tuple[RunWriter, EncodedParts]],
        encoder_threads: int,
        *,
        discard: bool,
        wake: Callable[[], object],
        may_share: bool = False,
        open_encoder: EncoderFactory = EncoderThread,
        max_backlog_bytes: int = MAX_BYTES,
        idle_interval_s: float = _IDLE_INTERVAL_S,
    ) -> None:
        self.frames_stored = 0
        self.frames_continued = 0
        self._wake = wake
        self._idle_interval_s = idle_interval_s
        self._backlog = Backlog(max_backlog_bytes * len(outputs))
        self._rank_rows: RankRows = []
        self._ranks_noted = 0.0
        self._errors: list[BaseException] = []
        self._all_here = self._stopping = self._ended = False
        self._items: Channel[_Item] = Channel()
        self._read: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        self._thread = BackgroundThread("fastvid-store", self._run, self._fail_and_end)
        self._busy = Stopwatch()
        self._feeds = [
            OutputFeed(
                writer,
                parts,
                open_encoder(parts, encoder_threads, self._fail, self._look_up),
                SharedEncoding(
                    writer, parts, encoder_threads, wake=wake, ask=self._items.put, busy=self._busy
                ),
                discard=discard,
                busy=self._busy,
            )
            for writer, parts in outputs
        ]
        self.shared = {
            style: feed.shared
            for style, feed in enumerate(self._feeds)
            if may_share and not outputs[style][1].plan.is_folder
        }
        # Until it is said that there is time: what the encoders here have begun nobody can take.
        for style in self.shared:
            self._feeds[style].leave_parts(True)

    # -- the coordinator's side ------------------------------------------------------------------

    def lacking(self, start: int, stop: int) -> frozenset[int]:
        """The styles in which not all frames of [start, stop) are stored yet."""
        return frozenset(
            style for style, feed in enumerate(self._feeds) if not feed.writer.has(start, stop)
        )

    def room(self) -> bool:
        """Whether another segment may be fetched now."""
        return self._backlog.room()

    def expect(self) -> None:
        """Notes that a segment is on its way here."""
        self._backlog.expect()

    def put(
        self,
        record: SegmentRecord,
        frames: list[np.ndarray],
        flows: list[np.ndarray],
        occlusions: list[np.ndarray],
        weights: Sequence[np.ndarray] = (),
    ) -> None:
        """Takes a finished segment, in any order. frames: (styles, H, W, 3) uint8 RGB each."""
        segment = ArrivedSegment(record, frames, flows, occlusions, weights)
        self._backlog.arrived(segment.nbytes)
        self._items.put(segment)

    def skip(self, start: int, stop: int) -> None:
        """Notes frames that were stored by an earlier run."""
        self.frames_continued += stop - start
        self._items.put((start, stop))

    def look_up(self, index: int, styles: Sequence[int] = ()) -> None:
        """Asks for a frame that is stored in these styles, or in all; it comes out of
        `looked_up`."""
        self._items.put(partial(self._read_back, index, styles))

    def looked_up(self) -> np.ndarray | None:
        """The next frame that was asked for, (styles, H, W, 3) uint8, black in a style that has
        freed it, as none does before it has the frame behind it; None if it is not there yet."""
        try:
            return self._read.get_nowait()
        except queue.Empty:
            return None

    def note_ranks(self, rows: RankRows) -> None:
        """What was last heard of each rank; goes into the run files every few seconds."""
        self._rank_rows = rows

    def leave_parts(self, to_others: bool) -> None:
        """Whether the encoders here are to leave the parts that they have not begun to the other
        ranks, if these may share them. Once all frames are stored, everybody encodes."""
        for style in self.shared:
            self._items.put(partial(self._feeds[style].leave_parts, to_others))

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the storing thread and the encoders."""
        for feed in self._feeds:
            feed.encoder.start()
        self._thread.start()

    def check(self) -> None:
        """Raises what went wrong in one of the threads, if anything did."""
        if self._errors:
            raise self._errors[0]

    def finish(self) -> None:
        """Says that all segments were put; returns at once, `alive` tells when all is done."""
        self._items.put(self._note_all_here)

    def alive(self) -> bool:
        """Whether frames are still being stored or encoded; `wake` is called when that ends."""
        return not self._ended

    def cancel(self, patience_s: float | None = None) -> bool:
        """Stops all threads; what is stored stays stored. False if the disk holds them up for
        longer than `patience_s`. Harmless when called again."""
        self._stop()
        if not self._thread.join(patience_s):
            return False
        for feed in self._feeds:
            feed.encoder.cancel()
        return True

    def seconds(self) -> dict[str, float]:
        """How long storing and encoding have been at work so far, by the clock."""
        encoding = sum(feed.encoder.busy.seconds for feed in self._feeds)
        return {"store": self._busy.seconds, "encode": encoding}

    def cpu_seconds(self) -> float:
        """What storing and encoding have used of a core so far."""
        encoding = sum(feed.encoder.busy.cpu_seconds for feed in self._feeds)
        return self.storing_cpu_seconds() + encoding

    def storing_cpu_seconds(self) -> float:
        """What storing, and reading for those who encode, have used of a core so far."""
        return self._busy.cpu_seconds

    # -- from any thread -------------------------------------------------------------------------

    def _look_up(self) -> None:
        """Lets the storing thread look whether there is something to do."""
        self._items.put(_nothing)

    def _stop(self) -> None:
        self._stopping = True
        self._items.finish()

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self._stop()
        self._wake()

    # -- the storing thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._all_here or self._stopping):
            self._do_next()
        if not self._stopping:
            self._encode_the_rest()
        if self._stopping:
            self._store_the_rest()
        else:
            for feed in self._feeds:
                feed.encoder.end()  # all of them come to their end side by side
            for feed in self._feeds:
                feed.finish()
        self._end()

    def _fail_and_end(self, error: BaseException) -> None:
        self._fail(error)
        self._end()

    def _end(self) -> None:
        for feed in self._feeds:
            feed.shared.discard()
        self._ended = True
        self._wake()

    def _read_back(self, index: int, styles: Sequence[int]) -> None:
        feeds = [self._feeds[style] for style in styles] or self._feeds
        self._read.put(np.stack([feed.writer.read_frame(index) for feed in feeds]))
        self._wake()

    def _note_all_here(self) -> None:
        self._all_here = True

    def _encode_the_rest(self) -> None:
        """Encodes what is left, part by part, while other ranks may take parts as well."""
        for feed in self._feeds:
            feed.note_all_stored()
        while not self._stopping and any(feed.left() for feed in self._feeds):
            self._do_next()

    def _store_the_rest(self) -> None:
        """What has arrived is finished and must not be lost, unless it is storing that fails."""
        while not any(isinstance(error, StorageError) for error in self._errors):
            try:
                item = self._items.get()
            except Ended:
                return
            if not callable(item):
                self._take(item)

    def _do_next(self) -> None:
        """Feeds the encoders, then does the next thing, if there is one before it is time to look
        for something else."""
        for feed in self._feeds:
            feed.feed()
        self._store_ranks()
        try:
            item = self._items.get(self._idle_interval_s)
        except (queue.Empty, Ended):
            return
        if callable(item):
            item()
        else:
            self._take(item)

    def _take(self, item: ArrivedSegment | tuple[int, int]) -> None:
        if isinstance(item, ArrivedSegment):
            start, stop = item.record.start, item.record.stop
            for style, feed in enumerate(self._feeds):
                frames = [frame[style] for frame in item.frames]
                feed.store(item.record, frames, item.flows, item.occlusions, item.weights)
            self._backlog.stored()
        else:
            start, stop = item
        self.frames_stored += stop - start
        for feed in self._feeds:
            feed.known_to(stop)
        self._wake()

    def _store_ranks(self) -> None:
        now = time.monotonic()
        if self._rank_rows and now - self._ranks_noted > _RANKS_INTERVAL_S:
            self._ranks_noted = now
            for feed in self._feeds:
                feed.writer.note_ranks(self._rank_rows)


def _nothing() -> None:
    """There is something to look for, but nothing to do besides."""
