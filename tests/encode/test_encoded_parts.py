"""Encoding in parts: closed ones are taken over by the run that goes on, if they are its own."""

import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.encoder_thread import EncoderThread
from fastvid.encode.mux import mux
from fastvid.encode.output import plan_output
from fastvid.encode.plan import OutputPlan
from support import job_clips

COUNT = 11
PART_FRAMES = 4
INFO = VideoInfo("in.mkv", 32, 24, Fraction(1, 1000), Fraction(25), COUNT, ColorTags())


def frame(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def always(start: int, stop: int) -> bool:
    return True


@pytest.fixture
def plan(tmp_path: Path) -> OutputPlan:
    return plan_output(tmp_path / "out.mkv", info=INFO, codec="ffv1")


def opened(
    plan: OutputPlan, stored: Callable[[int, int], bool] = always
) -> tuple[EncoderThread, EncodedParts]:
    parts = EncodedParts(plan, PART_FRAMES)
    parts.take_over(stored)
    encoder = EncoderThread(parts, threads=1, failed=raise_it)
    encoder.start()
    return encoder, parts


def raise_it(error: BaseException) -> None:
    raise error


def encode(encoder: EncoderThread, frames: Iterable[int]) -> None:
    for index in frames:
        encoder.put(index, frame(index), 40 * index, 40)


def cut_off(plan: OutputPlan, stop: int) -> None:
    """A run that ends early: what is in the open part is lost, closed parts stay."""
    encoder, parts = opened(plan)
    encode(encoder, range(stop))
    deadline = time.monotonic() + 60
    while parts.next_frame < stop - stop % PART_FRAMES:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    encoder.cancel()


def test_a_continued_run_encodes_only_what_is_missing(plan: OutputPlan) -> None:
    cut_off(plan, 10)
    encoder, parts = opened(plan)
    assert parts.next_frame == 8
    encode(encoder, range(8, COUNT))
    encoder.finish()
    assert [(first, stop) for first, stop, _ in parts.closed] == [(0, 4), (4, 8), (8, 11)]
    mux(plan, [part.path for part in parts.closed])
    decoded = job_clips.decoded_frames(plan.path)
    assert np.array_equal(decoded, [frame(index) for index in range(COUNT)])
    assert [float(t) for t in job_clips.decoded_times(plan.path)] == [0.04 * i for i in range(11)]


def test_parts_of_frames_that_are_not_stored_are_left_out(plan: OutputPlan) -> None:
    cut_off(plan, 10)
    encoder, parts = opened(plan, lambda start, stop: stop <= 4)
    assert parts.next_frame == 4
    encoder.cancel()


def test_parts_of_another_codec_are_cleared(plan: OutputPlan, tmp_path: Path) -> None:
    cut_off(plan, 10)
    other = plan_output(tmp_path / "out.mkv", info=INFO, codec="libx264")
    encoder, parts = opened(other)
    assert parts.next_frame == 0 and not list(parts.folder.glob("*.part"))
    encoder.cancel()
