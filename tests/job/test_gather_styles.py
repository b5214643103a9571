"""Several outputs behind one storing thread: each has its own run file, encoder and parts."""

import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.encoder_thread import QUEUE_FRAMES, EncoderThread
from fastvid.encode.mux import mux
from fastvid.encode.output import plan_output
from fastvid.job.gather import Gatherer
from fastvid.runfile.writer import RunWriter
from support import job_clips, run_files
from support.run_files import HEIGHT, WIDTH, frame, record

STYLES, PART_FRAMES, LENGTH = 2, 5, 4
SEGMENTS = 6
COUNT = SEGMENTS * LENGTH
PATIENCE_S = 60.0
INFO = VideoInfo("in.mkv", WIDTH, HEIGHT, Fraction(1, 1000), Fraction(25), COUNT, ColorTags())


def of_style(style: int, index: int) -> np.ndarray:
    return frame(1000 * style + index)


@pytest.fixture
def outputs(tmp_path: Path) -> list[tuple[RunWriter, EncodedParts]]:
    made = []
    for style in range(STYLES):
        writer = run_files.create(tmp_path / f"{style}.h5")
        plan = plan_output(tmp_path / f"{style}.mkv", info=INFO, codec="ffv1")
        parts = EncodedParts(plan, PART_FRAMES)
        parts.take_over(writer.has, writer.run_id)
        made.append((writer, parts))
    return made


def put(gatherer: Gatherer, segment: int) -> None:
    start, stop = LENGTH * segment, LENGTH * (segment + 1)
    frames = [np.stack([of_style(s, i) for s in range(STYLES)]) for i in range(start, stop)]
    gatherer.expect()
    gatherer.put(record(segment, start, stop), frames, [], [])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def finish(gatherer: Gatherer) -> None:
    gatherer.finish()
    until(lambda: not gatherer.alive())
    gatherer.check()


def test_each_output_gets_its_own_frames(outputs: list[tuple[RunWriter, EncodedParts]]) -> None:
    """Nobody looks by the clock: an encoder that has room says so itself."""
    assert COUNT > 2 * QUEUE_FRAMES
    gatherer = Gatherer(outputs, 1, discard=False, wake=lambda: None, idle_interval_s=1e6)
    gatherer.start()
    for segment in reversed(range(SEGMENTS)):
        put(gatherer, segment)
    finish(gatherer)
    assert gatherer.frames_stored == COUNT and gatherer.frames_continued == 0
    for style, (writer, parts) in enumerate(outputs):
        expected = [of_style(style, index) for index in range(COUNT)]
        assert np.array_equal([writer.read_frame(index) for index in range(COUNT)], expected)
        assert [part.stop for part in parts.closed] == [5, 10, 15, 20, 24]
        mux(parts.plan, [part.path for part in parts.closed])
        assert np.array_equal(job_clips.decoded_frames(parts.plan.path), expected)


def test_what_one_output_lacks_is_stored_there_alone(
    outputs: list[tuple[RunWriter, EncodedParts]],
) -> None:
    """An earlier run may have ended between the two."""
    first, second = (writer for writer, _ in outputs)
    first.store(record(0, 0, LENGTH), [of_style(0, i) for i in range(LENGTH)])
    kept = first.read_frame(0)
    gatherer = Gatherer(outputs, 1, discard=False, wake=lambda: None)
    gatherer.start()
    assert gatherer.lacking(0, LENGTH) == {1}
    put(gatherer, 0)
    finish(gatherer)
    assert not gatherer.lacking(0, LENGTH)
    assert np.array_equal(first.read_frame(0), kept)
    assert second.has(0, LENGTH)


def test_a_stored_frame_is_looked_up_in_every_style(
    outputs: list[tuple[RunWriter, EncodedParts]],
) -> None:
    """In the storing thread: the main thread must not wait for the disk."""
    for style, (writer, _) in enumerate(outputs):
        writer.store(record(0, 0, LENGTH), [of_style(style, i) for i in range(LENGTH)])
    gatherer = Gatherer(outputs, 1, discard=False, wake=lambda: None)
    gatherer.look_up(3)
    assert gatherer.looked_up() is None
    gatherer.start()
    found = [gatherer.looked_up()]
    while found[-1] is None:
        time.sleep(0.001)
        found.append(gatherer.looked_up())
    assert gatherer.looked_up() is None
    assert np.array_equal(found[-1], [of_style(0, 3), of_style(1, 3)])
    gatherer.cancel()


def test_frames_of_closed_parts_go_in_every_output(
    outputs: list[tuple[RunWriter, EncodedParts]],
) -> None:
    gatherer = Gatherer(outputs, 1, discard=True, wake=lambda: None)
    gatherer.start()
    for segment in range(SEGMENTS):
        put(gatherer, segment)
    finish(gatherer)
    assert all(writer.encoded == set(range(COUNT)) for writer, _ in outputs)


class NoEncoder:
    """Can't be begun."""

    def __init__(self, *_: object) -> None:
        raise ValueError("no such encoder here")


def test_an_encoder_that_fails_ends_all_of_them(
    outputs: list[tuple[RunWriter, EncodedParts]],
) -> None:
    gatherer = Gatherer(
        outputs,
        1,
        discard=False,
        wake=lambda: None,
        open_encoder=partial(EncoderThread, open_part=NoEncoder),  # type: ignore[arg-type]
    )
    gatherer.start()
    put(gatherer, 0)
    until(lambda: not gatherer.alive())
    with pytest.raises(ValueError, match="no such encoder"):
        gatherer.check()
    gatherer.cancel()
    assert all(not parts.closed for _, parts in outputs)


def test_what_has_arrived_is_stored_before_it_ends(
    outputs: list[tuple[RunWriter, EncodedParts]],
) -> None:
    gatherer = Gatherer(outputs, 1, discard=False, wake=lambda: None)
    gatherer.start()
    for segment in range(SEGMENTS):
        put(gatherer, segment)
    gatherer.cancel()
    gatherer.cancel()
    assert not gatherer.alive()
    assert all(writer.has(0, COUNT) for writer, _ in outputs)
    assert all(not (parts.folder / "open").exists() for _, parts in outputs)
