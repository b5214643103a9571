"""Rank 0's storing thread: bounded in memory, out of order in, in order out."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.encoder_thread import QUEUE_FRAMES
from fastvid.encode.output import plan_output
from fastvid.job.backlog import MIN_SEGMENTS
from fastvid.job.gather import Gatherer
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.stages.interface import STAGES
from fastvid.system.stopwatch import Stopwatch

HEIGHT, WIDTH, LENGTH = 24, 32, 4
SEGMENT_BYTES = LENGTH * HEIGHT * WIDTH * 3
PATIENCE_S = 60.0


class Encoder:
    """Takes down what it is given. has_room: whether it takes more."""

    def __init__(self) -> None:
        self.busy = Stopwatch()
        self.taken: list[tuple[int, int, int, int]] = []
        self.has_room = threading.Event()
        self.has_room.set()
        self.failed: Callable[[BaseException], None] | None = None

    def opened(
        self,
        parts: EncodedParts,
        threads: int,
        failed: Callable[[BaseException], None],
        wake: Callable[[], object],
    ) -> "Encoder":
        """As the gatherer opens it."""
        self.failed = failed
        return self

    def start(self) -> None:
        """Nothing to start."""

    def room(self) -> bool:
        return self.has_room.is_set()

    def idle(self) -> bool:
        return True

    def put(self, index: int, image: np.ndarray, pts: int, duration: int) -> None:
        assert self.has_room.wait(PATIENCE_S)
        self.taken.append((index, int(image[0, 0, 0]), pts, duration))

    def end(self) -> None:
        """Nothing will follow."""

    def finish(self) -> None:
        """Nothing to wait for."""

    def cancel(self) -> None:
        """Nothing to stop."""


class CountingWriter(RunWriter):
    """Counts the frames that are read back."""

    read = 0

    def read_frame(self, index: int) -> np.ndarray:
        self.read += 1
        return super().read_frame(index)


@pytest.fixture
def writer(tmp_path: Path) -> CountingWriter:
    made = CountingWriter.create(tmp_path / "run.h5", HEIGHT, WIDTH, {"settings": "{}"}, (), "none")
    assert isinstance(made, CountingWriter)
    return made


def parts_beside(writer: RunWriter) -> EncodedParts:
    """The parts of an output of which nothing is encoded yet."""
    info = VideoInfo("in.mkv", WIDTH, HEIGHT, Fraction(1, 1000), Fraction(25), None, ColorTags())
    output = writer.path.with_suffix(".mkv")
    return EncodedParts(plan_output(output, info=info, codec="ffv1"))


def gatherer_of(
    writer: RunWriter,
    encoder: Encoder,
    wake: Callable[[], object] = lambda: None,
    **turned: Any,
) -> Gatherer:
    return Gatherer(
        [(writer, parts_beside(writer))],
        1,
        discard=False,
        wake=wake,
        open_encoder=encoder.opened,
        **turned,
    )


class Images(np.ndarray):
    """An array of which one can see that it is gone."""


def put(gatherer: Gatherer, segment: int) -> list[weakref.ref[Images]]:
    """Hands a segment of one style over; its frames, which are here only as long as somebody else
    keeps them."""
    start, stop = LENGTH * segment, LENGTH * segment + LENGTH
    times = {f"{stage.value}_{what}": 0.0 for stage in STAGES for what in ("start", "seconds")}
    record = SegmentRecord(
        segment,
        start,
        stop,
        0,
        0,
        rank=1,
        host="node",
        times=times,
        pts=[1000 + 40 * i for i in range(start, stop)],
        durations=[30 + i for i in range(start, stop)],
    )
    gatherer.expect()
    frames = [np.full((1, HEIGHT, WIDTH, 3), i, np.uint8).view(Images) for i in range(start, stop)]
    gatherer.put(record, frames, [], [])  # type: ignore[arg-type]
    return [weakref.ref(frame) for frame in frames]


def finish(gatherer: Gatherer) -> None:
    gatherer.finish()
    until(lambda: not gatherer.alive())
    gatherer.check()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def expected(segments: int) -> list[tuple[int, int, int, int]]:
    return [(i, i, 1000 + 40 * i, 30 + i) for i in range(LENGTH * segments)]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 5, 4], [5, 4, 3, 2, 1, 0]])
def test_frames_are_encoded_in_order_with_their_own_times(
    writer: CountingWriter, order: list[int]
) -> None:
    encoder = Encoder()
    gatherer = gatherer_of(writer, encoder)
    gatherer.start()
    for segment in order:
        put(gatherer, segment)
    finish(gatherer)
    assert encoder.taken == expected(len(order))
    assert gatherer.frames_stored == LENGTH * len(order)


def test_what_comes_a_little_early_is_not_read_back(writer: CountingWriter) -> None:
    """Ranks finish in turns, not in order."""
    encoder = Encoder()
    gatherer = gatherer_of(writer, encoder)
    gatherer.start()
    for segment in (1, 0):
        put(gatherer, segment)
    finish(gatherer)
    assert encoder.taken == expected(2) and writer.read == 0


def test_a_slow_encoder_does_not_fill_the_memory(writer: CountingWriter) -> None:
    """What it can't take soon is read back."""
    encoder = Encoder()
    encoder.has_room.clear()
    gatherer = gatherer_of(writer, encoder)
    gatherer.start()
    frames = [frame for segment in range(20) for frame in put(gatherer, segment)]
    until(lambda: gatherer.frames_stored == 20 * LENGTH)
    gc.collect()
    assert sum(frame() is not None for frame in frames) <= QUEUE_FRAMES + LENGTH
    encoder.has_room.set()
    finish(gatherer)
    assert encoder.taken == expected(20) and writer.read > 0


def test_few_segments_are_fetched_before_their_size_is_known(writer: CountingWriter) -> None:
    """All ranks finish their first segment at about the same time: rank 0 once took them all."""
    # It stores nothing yet.
    gatherer = gatherer_of(writer, Encoder(), max_backlog_bytes=5 * SEGMENT_BYTES)
    for _ in range(MIN_SEGMENTS):
        assert gatherer.room()
        gatherer.expect()
    assert not gatherer.room()
    put(gatherer, 0)  # with it three
    assert gatherer.room()
    for _ in range(2):
        gatherer.expect()
    assert not gatherer.room()
    gatherer.start()
    until(gatherer.room)
    finish(gatherer)


def test_the_end_wakes_whoever_waits_for_it(writer: CountingWriter) -> None:
    """`alive` has to be false before: nobody looks a second time."""
    seen: list[bool] = []

    def wake() -> None:
        seen.append(gatherer.alive())

    gatherer = gatherer_of(writer, Encoder(), wake)
    gatherer.start()
    put(gatherer, 0)
    finish(gatherer)
    gatherer.cancel()  # waits for the thread
    assert seen[0] and not seen[-1]


def test_an_error_of_the_encoder_ends_it_at_once(writer: CountingWriter) -> None:
    encoder = Encoder()
    gatherer = gatherer_of(writer, encoder, idle_interval_s=1e6)
    gatherer.start()
    assert encoder.failed is not None
    encoder.failed(ValueError("no room for colours"))
    until(lambda: not gatherer.alive())
    with pytest.raises(ValueError, match="colours"):
        gatherer.check()
