"""The pieces of shared encoding: parts are dealt, encoded anywhere, and come back or not."""

import threading
import time
from collections.abc import Callable, Collection
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.encoded_parts import EncodedParts, end_of_part, part_frames_of
from fastvid.encode.encoder import VideoEncoder
from fastvid.encode.encoder_thread import EncoderThread
from fastvid.encode.images import ImageEncoder
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.encode.plan import OutputPlan, plan_of_text
from fastvid.encode.shared_encoding import SharedEncoding
from fastvid.encode.shared_parts import PartPool
from fastvid.job.gather import Gatherer
from fastvid.parallel.engine.encoding import AHEAD_FRAMES, PartEncodingThread, PartOrder
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.stages.interface import STAGES
from support import job_clips
from support.launching import TIMEOUT_S

PART_FRAMES = 5
COUNT = 23
INFO = VideoInfo("in.mkv", 64, 48, Fraction(1, 1000), Fraction(25), COUNT, ColorTags())


def frame(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def plan(tmp_path: Path) -> OutputPlan:
    return plan_output(tmp_path / "out.mkv", info=INFO, codec="ffv1")


def test_a_plan_survives_the_way_to_another_rank(plan: OutputPlan) -> None:
    assert plan_of_text(plan.text()) == plan


def feed(helper: PartEncodingThread, order: PartOrder) -> bytes:
    """Gives a rank that encodes what it wants; what has come out of it."""
    content, last, given = b"", False, order.first
    deadline = time.monotonic() + TIMEOUT_S
    while not last:
        assert time.monotonic() < deadline
        while (wanted := helper.wants()) is not None:
            its, start, stop = wanted
            assert its == order and start == given
            given = stop
            times = np.array([(40 * i, 40) for i in range(start, stop)], np.int64)
            helper.take([frame(i) for i in range(start, stop)], times)
        while not helper.chunks.empty():
            chunk = helper.chunks.get()
            assert chunk.order == order and not chunk.problem
            content += chunk.content
            last = chunk.last
        time.sleep(0.001)
    return content


def test_a_part_has_the_same_bytes_wherever_it_is_encoded(plan: OutputPlan, tmp_path: Path) -> None:
    helper = PartEncodingThread(lambda: None, chunk_bytes=5000)
    for first, stop in ((0, 5), (10, 15), (20, 23)):
        encoder = open_encoder(plan, tmp_path / "part", threads=1)
        for index in range(first, stop):
            encoder.write(frame(index), 40 * index, 40)
        encoder.close()
        order = PartOrder(0, first, stop, threads=1)
        helper.begin(order, plan)
        assert feed(helper, order) == (tmp_path / "part").read_bytes()
    helper.thread.stop(TIMEOUT_S)


def test_a_rank_asks_for_few_frames_at_a_time(plan: OutputPlan) -> None:
    helper = PartEncodingThread(lambda: None)
    helper.begin(PartOrder(0, 0, 1000, threads=1), plan)
    asked = 0
    while (wanted := helper.wants()) is not None:
        asked += wanted[2] - wanted[1]
    assert 0 < asked <= AHEAD_FRAMES
    helper.thread.stop(TIMEOUT_S)


def test_a_rank_that_failed_is_not_taken_for_one_that_is_stuck(
    plan: OutputPlan,
) -> None:
    """It would fall silent, and the job would end with it."""

    def refuse(*_: object) -> VideoEncoder:
        raise ValueError("no such encoder here")

    helper = PartEncodingThread(lambda: None, open_encoder=refuse)
    helper.begin(PartOrder(0, 0, 5, threads=1), plan)
    assert helper.wants() is not None
    helper.take([frame(0)], np.array([(0, 40)]))
    chunk = helper.chunks.get(timeout=TIMEOUT_S)
    assert "no such encoder" in chunk.problem and not chunk.last
    helper.thread.stop(TIMEOUT_S)
    assert helper.wants() is None
    assert helper.thread.step_seconds() == 0 and helper.thread.doing == "waiting"


def pool_of(stored: Collection[int], known: int) -> PartPool:
    """Parts of five frames, of a film of which these frames are stored."""
    pool = PartPool(0, lambda first: first + PART_FRAMES)
    pool.grow(known, lambda start, stop: all(index in stored for index in range(start, stop)))
    return pool


def test_a_part_is_lent_once_all_its_frames_are_stored() -> None:
    pool = pool_of({*range(4), *range(5, 12)}, known=12)
    assert pool.lend() == (5, 10) and pool.lend() is None
    assert pool.grow(12, lambda start, stop: stop <= 5)
    assert not pool.grow(12, lambda start, stop: stop <= 5)
    assert pool.lend() == (0, 5) and pool.lend() is None


def test_rank_0_takes_the_earliest_part_also_of_frames_to_come() -> None:
    pool = pool_of(range(5), known=8)
    assert [pool.take() for _ in range(3)] == [(0, 5), (5, 10), (10, 15)]
    pool.end(17)
    assert pool.take() == (15, 17) and pool.take() is None and not pool.left()


def test_the_last_part_is_as_long_as_the_film() -> None:
    pool = pool_of(range(12), known=12)
    pool.end(12)
    assert [pool.lend() for _ in range(4)] == [(0, 5), (5, 10), (10, 12), None]


def test_a_part_goes_to_one_rank_until_that_gives_it_back() -> None:
    pool = pool_of(range(12), known=12)
    pool.end(12)
    first, second = pool.lend(), pool.take()
    assert (first, second) == ((0, 5), (5, 10))
    assert pool.lend() == (10, 12) and pool.lend() is None and pool.take() is None
    pool.settle((10, 12), complete=True)
    assert pool.left()
    pool.settle((0, 5), complete=False)
    assert pool.take() == (0, 5) and not pool.left()


@pytest.mark.parametrize(
    ("frames", "length"), [(1, 24), (280, 24), (8000, 50), (38400, 240), (10**6, 240)]
)
def test_parts_are_as_long_as_suits_the_film(frames: int, length: int) -> None:
    assert part_frames_of(frames) == length


@pytest.mark.parametrize(
    ("frames", "part_frames", "ends"),
    [
        (1, 24, [1]),
        (8, 24, [8]),
        (9, 24, [6, 9]),
        (23, 24, [6, 12, 18, 23]),
        # 24 of 116, 23 of 92, then a quarter of 69, 52, 39, 30, and six.
        (140, 24, [24, 48, 71, 88, 101, 110, 117, 123, 129, 135, 140]),
        (23, 5, [5, 10, 15, 20, 23]),
    ],
)
def test_parts_are_shorter_towards_the_end(frames: int, part_frames: int, ends: list[int]) -> None:
    found = [0]
    while found[-1] < frames:
        found.append(end_of_part(found[-1], part_frames, frames))
    assert found[1:] == ends
    for index in range(frames):  # the same from wherever a run goes on
        assert end_of_part(index, part_frames, frames) == min(end for end in ends if end > index)


def test_parts_behind_the_promised_end_are_of_full_length() -> None:
    assert [end_of_part(index, 24, 23) for index in (22, 23, 46, 47)] == [23, 47, 47, 71]
    assert [end_of_part(index, 5, 0) for index in (0, 4, 5, 12)] == [5, 5, 10, 15]


def whole_film() -> SegmentRecord:
    """All frames as one segment of rank 1."""
    times = {f"{stage.value}_{what}": 0.0 for stage in STAGES for what in ("start", "seconds")}
    return SegmentRecord(
        0,
        0,
        COUNT,
        0,
        0,
        rank=1,
        host="node",
        times=times,
        pts=[40 * i for i in range(COUNT)],
        durations=[40] * COUNT,
    )


def lent_by(shared: SharedEncoding) -> list[tuple[int, int]]:
    """All parts that can be had now."""
    parts = []
    while (part := shared.lend()) is not None:
        parts.append(part)
    return parts


@pytest.mark.parametrize("has_time", [False, True])
def test_rank_0_begins_a_part_once_it_is_said_to_have_time(
    has_time: bool, plan: OutputPlan, tmp_path: Path
) -> None:
    """Not even the first one before: beside painting it may take until the end of the job."""
    writer = RunWriter.create(tmp_path / "out.h5", 48, 64, {"settings": "{}"}, (), "none")
    mine = EncodedParts(plan, PART_FRAMES)
    gatherer = Gatherer([(writer, mine)], 1, discard=False, wake=lambda: None, may_share=True)
    gatherer.start()
    shared = gatherer.shared[0]
    if has_time:
        gatherer.leave_parts(False)
    gatherer.expect()
    gatherer.put(whole_film(), [frame(i)[np.newaxis] for i in range(COUNT)], [], [])
    until(lambda: bool(writer.stored))
    parts: list[tuple[int, int]] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(parts) < 2 and time.monotonic() < deadline:
        parts += lent_by(shared)
        time.sleep(0.01)
    assert parts[0] == ((5, 10) if has_time else (0, 5))
    gatherer.cancel()


def test_rank_0_encodes_what_does_not_come_back(plan: OutputPlan, tmp_path: Path) -> None:
    """One part comes whole, one is given back after some bytes, in an order that is not theirs."""
    writer = RunWriter.create(tmp_path / "out.h5", 48, 64, {"settings": "{}"}, (), "none")
    mine = EncodedParts(plan, PART_FRAMES)
    mine.take_over(writer.has, writer.run_id)
    held = threading.Event()

    def held_back(plan: OutputPlan, path: Path, threads: int) -> VideoEncoder | ImageEncoder:
        assert held.wait(TIMEOUT_S)
        return open_encoder(plan, path, threads)

    gatherer = Gatherer(
        [(writer, mine)],
        1,
        discard=False,
        wake=lambda: None,
        may_share=True,
        open_encoder=partial(EncoderThread, open_part=held_back),
    )
    gatherer.start()
    shared = gatherer.shared[0]
    gatherer.expect()
    gatherer.put(
        whole_film(),
        [frame(i)[np.newaxis] for i in range(COUNT)],
        [],
        [],
    )
    gatherer.finish()
    parts: list[tuple[int, int]] = []
    deadline = time.monotonic() + TIMEOUT_S
    while (20, 23) not in parts and time.monotonic() < deadline:
        parts += lent_by(shared)
        time.sleep(0.01)
    assert len(parts) >= 3 and parts[-1] == (20, 23)  # the encoder has the first ones
    shared.arrived(parts[0], b"half of it", last=False)
    helper = PartEncodingThread(lambda: None)
    for part in reversed(parts[1:]):
        order = PartOrder(0, *part, threads=1)
        helper.begin(order, plan)
        shared.arrived(part, feed(helper, order), last=True)
    shared.returned(parts[0])
    held.set()
    until(lambda: not gatherer.alive())
    gatherer.check()
    assert [part[:2] for part in mine.closed] == [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]
    mux(plan, [part.path for part in mine.closed])
    assert np.array_equal(job_clips.decoded_frames(plan.path), [frame(i) for i in range(COUNT)])
    assert not list(mine.folder.glob("arriving-*"))
    helper.thread.stop(TIMEOUT_S)
