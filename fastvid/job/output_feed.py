"""One output on rank 0: its frames go into its run file, and in their order into its encoder.

Parts whose frames are all stored may be encoded by other ranks besides
(`fastvid.encode.shared_encoding`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.encoder_thread import QUEUE_FRAMES
from fastvid.encode.shared_encoding import SharedEncoding
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.system.stopwatch import Stopwatch


class FrameEncoder(Protocol):
    """Encodes frames in order (`fastvid.encode.encoder_thread.EncoderThread`)."""

    @property
    def busy(self) -> Stopwatch:
        """The time that encoding takes."""

    def start(self) -> None:
        """Begins."""

    def room(self) -> bool:
        """Whether `put` would take a frame at once."""

    def idle(self) -> bool:
        """Whether all that was put is encoded."""

    def put(self, index: int, image: np.ndarray, pts: int, duration: int) -> None:
        """Takes the next frame."""

    def end(self) -> None:
        """Says that no frame will follow; returns at once."""

    def finish(self) -> None:
        """Says that no frame will follow, and waits until all are encoded."""

    def cancel(self) -> None:
        """Drops what is not encoded yet."""


# Makes the encoder of an output from its parts, its threads, what it calls with an error, and what
# it calls when there is room for another frame.
EncoderFactory = Callable[
    [EncodedParts, int, Callable[[BaseException], None], Callable[[], object]], FrameEncoder
]


class OutputFeed:
    """Stores the frames of one output and feeds its encoder. Used from the storing thread.

    parts: what is encoded already. shared: the parts that are not.
    discard: free the frames of closed parts. busy: counts what storing and reading back take.
    """

    def __init__(
        self,
        writer: RunWriter,
        parts: EncodedParts,
        encoder: FrameEncoder,
        shared: SharedEncoding,
        *,
        discard: bool,
        busy: Stopwatch,
    ) -> None:
        self.writer = writer
        self.encoder = encoder
        self.shared = shared
        self._parts = parts
        self._discard = discard
        self._busy = busy
        self._discarded_parts = sum(part.stop - 1 in writer.encoded for part in parts.closed)
        # The encoder gets the frames from `_next_frame` to `_stop` as soon as they are stored: the
        # rest of the part that it is at.
        self._next_frame = self._stop = parts.next_frame
        self._known = 0
        self._left_to_others = self._all_stored = False
        # Stored, and soon to be encoded: the frame, its timestamp and duration.
        self._at_hand: dict[int, tuple[np.ndarray, int, int]] = {}

    def store(
        self,
        record: SegmentRecord,
        frames: list[np.ndarray],
        flows: list[np.ndarray],
        occlusions: list[np.ndarray],
        weights: Sequence[np.ndarray] = (),
    ) -> None:
        """Stores a finished segment. Raises StorageError."""
        if self.writer.has(record.start, record.stop):
            return  # by an earlier run, which lacked the segment in another style
        with self._busy:
            self.writer.store(record, frames, flows, occlusions, weights)
        if self._next_frame <= record.start < self._next_frame + QUEUE_FRAMES:
            times = zip(record.pts, record.durations, strict=True)
            for index, frame, (pts, duration) in zip(
                range(record.start, record.stop), frames, times, strict=True
            ):
                self._at_hand[index] = (frame, pts, duration)

    def known_to(self, stop: int) -> None:
        """The frames before `stop` are stored, or will be."""
        self._known = max(self._known, stop)
        self.shared.grow(self._known)

    def leave_parts(self, to_others: bool) -> None:
        """Whether the encoder is to begin no further part, as long as frames are still to come."""
        self._left_to_others = to_others

    def note_all_stored(self) -> None:
        """No frame will follow."""
        self.shared.end(self._known)
        self._stop = min(self._stop, self._known)
        self._all_stored = True

    def left(self) -> bool:
        """Whether parts are left, here or elsewhere."""
        return self._next_frame < self._stop or self.shared.left()

    def feed(self) -> None:
        """Passes frames on to the encoder, as long as the next one is stored and there is room, and
        frees the frames of the parts that are closed. Raises StorageError."""
        while self._next_is_stored() and self.encoder.room():
            index = self._next_frame
            what = self._at_hand.pop(index, None)
            if what is None:
                with self._busy:
                    what = (self.writer.read_frame(index), *self.writer.read_time(index))
            self.encoder.put(index, *what)
            self._next_frame += 1
            self._discard_closed_parts()
        self._discard_closed_parts()

    def finish(self) -> None:
        """Waits for the encoder to come to its end."""
        self.encoder.finish()
        self._discard_closed_parts()

    def _next_is_stored(self) -> bool:
        if self._next_frame >= self._stop:
            if self._left_to_others and not self._all_stored:
                return False
            if not self.encoder.idle():
                return False  # meanwhile somebody else may begin the next part
            part = self.shared.take()
            if part is None:
                return False
            self._next_frame, self._stop = part
            # Others have encoded what lies before it.
            for index in [index for index in self._at_hand if index < self._next_frame]:
                del self._at_hand[index]
        return self._next_frame in self.writer.stored

    def _discard_closed_parts(self) -> None:
        if not self._discard:
            return
        for first, stop, _ in self._parts.closed[self._discarded_parts :]:
            self.writer.mark_encoded(first, stop)
            # The part's last frame stays until the next part is closed: if the run is continued
            # from here, the next segment needs it.
            self.writer.free(max(0, first - 1), stop - 1)
            self._discarded_parts += 1
