"""Rank 0's storing thread: bounded in memory, out of order in, in order out."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fastvid.job import gather
from fastvid.job.gather import Gatherer
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.stages.interface import STAGES

HEIGHT, WIDTH, LENGTH = 24, 32, 4
SEGMENT_BYTES = LENGTH * HEIGHT * WIDTH * 3
PATIENCE_S = 60.0


class Encoder:
    """Takes down what it is given. has_room: whether it takes more."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, int, Path]] = []
        self.taken: list[tuple[int, int, int, int]] = []
        self.has_room = threading.Event()
        self.has_room.set()
        self.next_frame = 0
        self.failed: object = None

    def start(self) -> None:
        """Nothing to start."""

    def room(self) -> bool:
        return self.has_room.is_set()

    def put(self, index: int, image: np.ndarray, pts: int, duration: int) -> None:
        assert self.has_room.wait(PATIENCE_S)
        self.taken.append((index, int(image[0, 0, 0]), pts, duration))

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


def gatherer_of(writer: RunWriter, encoder: Encoder) -> Gatherer:
    return Gatherer(writer, encoder, discard=False, wake=threading.Event().set)  # type: ignore


def put(gatherer: Gatherer, segment: int) -> None:
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
    gatherer.put(
        record, [np.full((HEIGHT, WIDTH, 3), i, np.uint8) for i in range(start, stop)], [], []
    )


def finish(gatherer: Gatherer) -> None:
    gatherer.finish()
    until(lambda: not gatherer.alive())
    gatherer.check()


def until(condition: object) -> None:
    assert callable(condition)
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
    for segment in range(20):
        put(gatherer, segment)
    until(lambda: gatherer.frames_stored == 20 * LENGTH)
    assert len(gatherer._at_hand) <= gather.QUEUE_FRAMES + LENGTH
    encoder.has_room.set()
    finish(gatherer)
    assert encoder.taken == expected(20) and writer.read > 0


def test_few_segments_are_fetched_before_their_size_is_known(
    writer: CountingWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ranks finish their first segment at about the same time: rank 0 once took them all."""
    monkeypatch.setattr(gather, "_MAX_BACKLOG_BYTES", 5 * SEGMENT_BYTES)
    gatherer = gatherer_of(writer, Encoder())  # stores nothing yet
    for _ in range(gather._MIN_BACKLOG_SEGMENTS):
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

    gatherer = Gatherer(writer, Encoder(), discard=False, wake=wake)  # type: ignore
    gatherer.start()
    put(gatherer, 0)
    finish(gatherer)
    gatherer._thread.join()
    assert seen[0] and not seen[-1]


def test_an_error_of_the_encoder_ends_it_at_once(
    writer: CountingWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "_IDLE_INTERVAL_S", 1e6)
    encoder = Encoder()
    gatherer = gatherer_of(writer, encoder)
    gatherer.start()
    assert callable(encoder.failed)
    encoder.failed(ValueError("no room for colours"))
    until(lambda: not gatherer.alive())
    with pytest.raises(ValueError, match="colours"):
        gatherer.check()
