"""A rank's help with encoding: parts of the video for rank 0, one at a time, in a thread.

The frames are asked for as they are needed, and the encoded bytes are passed on as they come, so
that a rank holds a few frames and never a whole part.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fastvid.encode.encoder import VideoEncoder
from fastvid.encode.parts import PartFile
from fastvid.encode.plan import OutputPlan
from fastvid.parallel.engine.threads import ENCODING_NICE, Failed, SideThread, Step

# Frames that are asked for in one go, and how many may be on their way or wait here.
_ASKED_FRAMES = 4
AHEAD_FRAMES = 8
# Bytes that are passed on in one go, unless they are the last.
CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class PartOrder:
    """The frames [first, stop) of the output number `style`, by an encoder with `threads`."""

    style: int
    first: int
    stop: int
    threads: int

    @property
    def part(self) -> tuple[int, int]:
        """The frames."""
        return self.first, self.stop


@dataclass(frozen=True)
class EncodedChunk:
    """Encoded bytes of a part in their order. last: the part is complete with them. problem: it
    will not be, and why."""

    order: PartOrder
    content: bytes
    last: bool = False
    problem: str = ""


class PartEncodingThread:
    """Encodes the part that it was given.

    thread: takes its frames. wake: called when there is something to pass on or to ask for.
    chunk_bytes: passed on in one go. open_encoder: opens an encoder that writes to memory.
    """

    def __init__(
        self,
        wake: Callable[[], object],
        chunk_bytes: int = CHUNK_BYTES,
        open_encoder: Callable[[OutputPlan, str, int, PartFile], VideoEncoder] = VideoEncoder,
    ) -> None:
        self.chunks: queue.SimpleQueue[EncodedChunk] = queue.SimpleQueue()
        self._wake = wake
        self._chunk_bytes = chunk_bytes
        self._open_encoder = open_encoder
        # Of what follows, the main thread reads what the other one writes.
        self._lock = threading.Lock()
        self._order: PartOrder | None = None
        self._plan: OutputPlan | None = None
        # The thread's own: what it is at, which may be behind `_order`.
        self._at_hand: PartOrder | None = None
        self._encoder: VideoEncoder | None = None
        self._asked = self._encoded = 0
        self.thread: SideThread[tuple[np.ndarray, int, int]] = SideThread(
            self._step, self._fail, ENCODING_NICE
        )

    def begin(self, order: PartOrder, plan: OutputPlan) -> None:
        """Begins a part; the last bytes of the one before have been passed on."""
        with self._lock:
            self._order, self._plan = order, plan
            self._asked = self._encoded = order.first

    def wants(self) -> tuple[PartOrder, int, int] | None:
        """The frames [start, stop) of the part to ask for now, None if there are none."""
        with self._lock:
            order = self._order
            if order is None or self._asked == order.stop:
                return None
            if self._asked + _ASKED_FRAMES > self._encoded + AHEAD_FRAMES:
                return None
            start = self._asked
            self._asked = min(start + _ASKED_FRAMES, order.stop)
            return order, start, self._asked

    def take(self, images: Sequence[np.ndarray], times: np.ndarray) -> None:
        """Takes frames that were asked for, (H, W, 3) uint8 RGB, with times (N, 2) int64:
        timestamp and duration."""
        self.thread.put(
            *(
                (image, pts, duration)
                for image, (pts, duration) in zip(images, times.tolist(), strict=True)
            )
        )

    def _step(self, frame: tuple[np.ndarray, int, int]) -> Step:
        return Step(f"encoding frame {self._encoded}", partial(self._encode, *frame))

    def _encode(self, image: np.ndarray, pts: int, duration: int) -> None:
        if self._encoder is None:
            assert self._order is not None and self._plan is not None
            order = self._at_hand = self._order
            self._encoder = self._open_encoder(
                self._plan,
                f"frames {order.first} to {order.stop - 1}",
                order.threads,
                _Outbox(partial(self._pass_on, order), self._chunk_bytes),
            )
        assert self._at_hand is not None
        self._encoder.write(image, pts, duration)
        last = self._encoded + 1 == self._at_hand.stop
        with self._lock:
            self._encoded += 1
            if last:
                self._order = None
        if last:
            # With the last bytes the next part may come.
            encoder, self._encoder = self._encoder, None
            encoder.close()
        self._wake()  # it may want frames

    def _pass_on(self, order: PartOrder, content: bytes, last: bool) -> None:
        self.chunks.put(EncodedChunk(order, content, last))
        self._wake()

    def _fail(self, failed: Failed) -> None:
        """This rank can't help, but rank 0 can do without."""
        assert self._at_hand is not None
        self.chunks.put(EncodedChunk(self._at_hand, b"", problem=failed.message))
        with self._lock:
            self._order = None
        self._wake()


class _Outbox:
    """A part's bytes on their way to rank 0 (`fastvid.encode.parts.PartFile`)."""

    def __init__(self, pass_on: Callable[[bytes, bool], None], chunk_bytes: int) -> None:
        self._pass_on = pass_on
        self._chunk_bytes = chunk_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= self._chunk_bytes:
            self._flush(last=False)

    def finish(self) -> None:
        self._flush(last=True)

    def discard(self) -> None:
        self._pieces.clear()

    def _flush(self, last: bool) -> None:
        self._pass_on(b"".join(self._pieces), last)
        self._pieces.clear()
        self._size = 0
