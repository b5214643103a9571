"""Once all frames are stored, the ranks encode parts of the video side by side."""

import json
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.encoder import VideoEncoder
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.encode.plan import OutputPlan, plan_of_text
from fastvid.encode.pool import PartPool
from fastvid.encode.thread import EncoderThread, part_folder
from fastvid.job.gather import Gatherer
from fastvid.parallel.engine.encoding import AHEAD_FRAMES, PartEncodingThread, PartOrder
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.stages.interface import STAGES
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, run_fastvid, run_program, stored_count
from support.places import PROGRAMS

PART_FRAMES = 5
COUNT = 23
INFO = VideoInfo("in.mkv", 64, 48, Fraction(1, 1000), Fraction(25), COUNT, ColorTags())
SMALL_PARTS = {"part_frames": PART_FRAMES}
# Rank 0 alone would take seconds for the parts that are left to it.
SLOW_ENCODER = {"stage": "encode", "ranks": [0], "sleep": 0.2}


def packets(path: Path) -> list[tuple[object, ...]]:
    with av.open(str(path)) as container:
        return [
            (packet.pts, packet.duration, bytes(packet))
            for packet in container.demux(video=0)
            if packet.size
        ]


def frame(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# -- whole jobs ----------------------------------------------------------------------------------


@pytest.fixture
def command(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> list[object]:
    return [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        tiny_style,
        "--cuts",
        "none",
        "--segment-length",
        "3",
        "--codec",
        "ffv1",
        "--threads",
        "1",
        "--log-dir",
        tmp_path / "logs",
    ]


@pytest.fixture(scope="module")
def expected(uncut_clip: Clip, tiny_style: Path) -> np.ndarray:
    return oracle.repaint(
        job_clips.decoded_frames(uncut_clip.path), (), load_style(str(tiny_style))
    )


def encoded_by_others(folder: Path) -> int:
    """Parts that other ranks than the first have encoded, as their logs say."""
    return sum(path.read_text().count(" encoded\n") for path in (folder / "logs").iterdir())


def run(rules: list[object], command: list[object], ranks: int) -> str:
    finished = run_program([PROGRAMS / "patched.py"], [json.dumps(rules), *command], ranks=ranks)
    assert finished.status == 0, finished.stderr
    return finished.stderr


@pytest.mark.mpi
@pytest.mark.parametrize(("ranks", "more"), [(2, []), (3, ["--discard-frames"])])
def test_the_video_is_the_same_whoever_encodes_it(
    ranks: int,
    more: list[object],
    command: list[object],
    expected: np.ndarray,
    uncut_clip: Clip,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out.mkv"
    run([SMALL_PARTS], command, 1)
    alone = packets(output)
    run([SMALL_PARTS, SLOW_ENCODER], [*command, *more, "--restart", "--overwrite"], ranks)
    assert encoded_by_others(tmp_path) >= 2
    assert packets(output) == alone
    assert np.array_equal(job_clips.decoded_frames(output), expected)
    assert job_clips.decoded_times(output) == job_clips.decoded_times(uncut_clip.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "out.h5", "out.mkv"]


@pytest.mark.mpi
def test_each_style_is_encoded_into_its_own_video(
    command: list[object], tiny_style: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(job_clips.style_bytes(seed=5))
    run([SMALL_PARTS, SLOW_ENCODER], [*command, "--style", other], 3)
    assert encoded_by_others(tmp_path) >= 2
    mine, its = (
        job_clips.decoded_frames(tmp_path / f"out.{style.stem}.mkv")
        for style in (tiny_style, other)
    )
    assert np.array_equal(mine, expected)
    assert len(its) == len(expected) and not np.array_equal(its, expected)


@pytest.mark.mpi
def test_rank_0_does_without_a_rank_that_can_not_encode(
    command: list[object], expected: np.ndarray, tmp_path: Path
) -> None:
    """It fails in the middle of a part, some of which has arrived."""
    broken = {"stage": "encode", "ranks": [1], "call": 3, "action": "ValueError"}
    run([SMALL_PARTS, SLOW_ENCODER, broken], command, 2)
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)
    logs = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "rank 1 can't encode" in logs and "weather" in logs


@pytest.mark.mpi
@pytest.mark.parametrize("end", [RunningJob.terminate, RunningJob.kill])
def test_ended_meanwhile_and_continued(
    end: Callable[[RunningJob], object], command: list[object], expected: np.ndarray, tmp_path: Path
) -> None:
    slow = {"stage": "encode", "sleep": 0.3}
    with RunningJob(
        [PROGRAMS / "patched.py"], [json.dumps([SMALL_PARTS, slow]), *command], ranks=3
    ) as job:
        parts = part_folder(tmp_path / "out.mkv")
        until(
            lambda: (
                stored_count(tmp_path / "out.h5") == COUNT
                and parts.is_dir()
                and len(list(parts.glob("*.part"))) >= 2
            )
        )
        assert not job.ended()
        end(job)
        stopped = job.wait()
    assert stopped.status == (75 if end is RunningJob.terminate else stopped.status) != 0
    assert not list(parts.glob("arriving-*")) or end is RunningJob.kill
    finished = run_fastvid(*command, ranks=2)
    assert finished.status == 0, finished.stderr
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)
    assert not parts.exists()


# -- the pieces ----------------------------------------------------------------------------------


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


def test_a_part_goes_to_one_rank_until_that_gives_it_back() -> None:
    pool = PartPool([(5, 10), (0, 5), (10, 12)])
    first, second = pool.lend(), pool.take()
    assert (first, second) == ((0, 5), (5, 10))
    assert pool.lend() == (10, 12) and pool.lend() is None and pool.take() is None
    pool.settle((10, 12), complete=True)
    assert pool.left()
    pool.settle((0, 5), complete=False)
    assert pool.take() == (0, 5) and not pool.left()


def test_rank_0_encodes_what_does_not_come_back(plan: OutputPlan, tmp_path: Path) -> None:
    """One part comes whole, one is given back after some bytes, in an order that is not theirs."""
    writer = RunWriter.create(tmp_path / "out.h5", 48, 64, {"settings": "{}"}, (), "none")
    encoder = EncoderThread(plan, part_folder(plan.path), threads=1, part_frames=PART_FRAMES)
    encoder.take_over(writer.has)
    gatherer = Gatherer(writer, encoder, discard=False, shared=True, wake=threading.Event().set)  # type: ignore[arg-type]
    held = threading.Event()
    encode = encoder._encode

    def hold(*item: object) -> None:
        assert held.wait(TIMEOUT_S)
        encode(*item)  # type: ignore[arg-type]

    encoder._encode = hold  # type: ignore[method-assign]
    gatherer.start()
    shared = gatherer.shared
    assert shared is not None
    times = {f"{stage.value}_{what}": 0.0 for stage in STAGES for what in ("start", "seconds")}
    gatherer.expect()
    gatherer.put(
        SegmentRecord(
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
        ),
        [frame(i) for i in range(COUNT)],
        [],
        [],
    )
    gatherer.finish()
    parts: list[tuple[int, int]] = []
    until(lambda: bool(parts.extend([part] if (part := shared.lend()) else []) or parts))
    while (part := shared.lend()) is not None:
        parts.append(part)
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
    assert [part[:2] for part in encoder.parts] == [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]
    mux(plan, [path for _, _, path in encoder.parts])
    assert np.array_equal(job_clips.decoded_frames(plan.path), [frame(i) for i in range(COUNT)])
    assert not list(encoder.folder.glob("arriving-*"))
    helper.thread.stop(TIMEOUT_S)
