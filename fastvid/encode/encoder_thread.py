"""Rank 0's encoding: frames in order into parts, in a thread, while the ranks compute."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.output import open_encoder
from fastvid.encode.plan import OutputPlan
from fastvid.system.allocator import give_back_freed_memory
from fastvid.system.priority import be_nice
from fastvid.system.stopwatch import Stopwatch
from fastvid.system.threads import BackgroundThread, Channel

QUEUE_FRAMES = 8
_OPEN_NAME = "open"
_MAX_ENCODER_THREADS = 4
# A frame's number, its image, (H, W, 3) uint8 RGB, its timestamp and its duration.
_Numbered = tuple[int, np.ndarray, int, int]


class PartEncoder(Protocol):
    """One part of the encoded video (`fastvid.encode.output.open_encoder`)."""

    def write(self, image: np.ndarray, pts: int, duration: int) -> None:
        """Encodes a frame."""

    def close(self) -> None:
        """Finishes the part; from here on it is safe on the disk."""

    def abort(self) -> None:
        """Removes the unfinished part."""


def encoder_threads(threads: int, outputs: int) -> int:
    """The threads of each of so many encoders. threads: of the rank that they share."""
    return max(1, min(threads // outputs, _MAX_ENCODER_THREADS))


class EncoderThread:
    """Encodes frames in order into parts.

    parts: takes the closed ones. threads: of the encoder. failed: called in the thread with what
    went wrong. wake: called in the thread when a frame is encoded. open_part: begins a
    part. nice: added to the thread's nice value. busy: the time that encoding takes.
    """

    def __init__(
        self,
        parts: EncodedParts,
        threads: int,
        failed: Callable[[BaseException], None],
        wake: Callable[[], object] = lambda: None,
        open_part: Callable[[OutputPlan, Path, int], PartEncoder] = open_encoder,
        nice: int = 0,
    ) -> None:
        self.busy = Stopwatch()
        self._parts = parts
        self._threads = threads
        self._failed = failed
        self._wake = wake
        self._open_part = open_part
        self._nice = nice
        self._part: PartEncoder | None = None
        self._first = self._stop = 0
        self._put = self._encoded = 0
        self._frames: Channel[_Numbered] = Channel(QUEUE_FRAMES)
        self._thread = BackgroundThread("fastvid-encode", self._run, self._fail)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def room(self) -> bool:
        """Whether `put` would take a frame at once."""
        return self._frames.room()

    def idle(self) -> bool:
        """Whether all that was put is encoded, but for the end of a part."""
        return self._put == self._encoded

    def put(self, index: int, image: np.ndarray, pts: int, duration: int) -> None:
        """Takes the next frame; waits while the queue is full."""
        self._put += 1
        self._frames.put((index, image, pts, duration))

    def end(self) -> None:
        """Says that no frame will follow; returns at once."""
        self._frames.finish()

    def finish(self) -> None:
        """Says that no frame will follow, and waits until the last part is closed."""
        self.end()
        self._thread.join()

    def cancel(self) -> None:
        """Drops what is not encoded yet and removes the unfinished part."""
        self._frames.stop()
        self._thread.join()

    def _run(self) -> None:
        be_nice(self._nice)
        for frame in self._frames:
            with self.busy:
                self._encode(*frame)
            # Or the thread would keep the frame alive while it waits for the next.
            del frame
            self._encoded += 1
            self._wake()
        if self._part is not None:
            if self._frames.stopped:
                self._part.abort()
            else:
                with self.busy:
                    self._close_part(self._part)

    def _fail(self, error: BaseException) -> None:
        if self._part is not None:
            self._part.abort()
        self._frames.stop()  # whoever puts frames must not wait for ever
        self._failed(error)

    def _encode(self, index: int, image: np.ndarray, pts: int, duration: int) -> None:
        if self._part is not None and index != self._stop:
            self._close_part(self._part)  # somebody else has encoded what follows it
        if self._part is None:
            self._first = index
            path = self._parts.folder / _OPEN_NAME
            self._part = self._open_part(self._parts.plan, path, self._threads)
        self._part.write(image, pts, duration)
        self._stop = index + 1
        if self._stop == self._parts.end_of_part(index):
            self._close_part(self._part)

    def _close_part(self, part: PartEncoder) -> None:
        part.close()
        self._part = None
        # An encoder takes tens of megabytes; the next one does not fit into the holes it leaves.
        give_back_freed_memory()
        self._parts.add(self._first, self._stop, self._parts.folder / _OPEN_NAME)
