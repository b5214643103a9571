"""Encoding in parts: closed ones are taken over by the run that goes on, if they are its own."""

import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode import encoded_parts
from fastvid.encode.encoded_parts import EncodedParts, part_folder
from fastvid.encode.encoder_thread import EncoderThread
from fastvid.encode.mux import mux
from fastvid.encode.output import plan_output
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.runfile.run_id import RunId
from fastvid.system import files
from support import job_clips

COUNT = 11
PART_FRAMES = 4
RUN = RunId("this run", Path("out.h5"))
INFO = VideoInfo("in.mkv", 32, 24, Fraction(1, 1000), Fraction(25), COUNT, ColorTags())


def frame(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def always(start: int, stop: int) -> bool:
    return True


@pytest.fixture
def plan(tmp_path: Path) -> OutputPlan:
    return plan_output(tmp_path / "out.mkv", info=INFO, codec="ffv1")


def opened(
    plan: OutputPlan, stored: Callable[[int, int], bool] = always, run: RunId = RUN
) -> tuple[EncoderThread, EncodedParts]:
    parts = EncodedParts(plan, PART_FRAMES)
    parts.take_over(stored, run)
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


def test_parts_outlive_the_node(plan: OutputPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Freed frames are in them alone: their names are on the disk before they count."""
    parts = EncodedParts(plan, PART_FRAMES)
    synced: list[tuple[Path, set[str], int]] = []

    def sync(folder: Path) -> None:
        synced.append((folder, {path.name for path in folder.iterdir()}, parts.next_frame))

    for module in (encoded_parts, files):
        monkeypatch.setattr(module, "sync_folder", sync)
    parts.take_over(always, RUN)
    names = {"settings"}
    assert (plan.path.parent, {parts.folder.name}, 0) in synced
    assert synced[-1] == (parts.folder, names, 0)
    closed = parts.folder / "open"
    closed.write_bytes(b"a part")
    parts.add(0, PART_FRAMES, closed)
    assert synced[-1] == (parts.folder, names | {"000000000-000000004.part"}, 0)
    assert parts.next_frame == PART_FRAMES


def rest_of(plan: OutputPlan, run: RunId, nowhere_else: int = 0) -> list[int]:
    """The ends of the parts that a run takes over."""
    parts = EncodedParts(plan, PART_FRAMES)
    parts.take_over(always, run, nowhere_else)
    return [part.stop for part in parts.closed]


def test_parts_that_are_taken_over_outlive_the_node(
    plan: OutputPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the renaming of a part and the wait for the disk, the run before has left a
    name that is not there for sure; what goes on frees the frames."""
    cut_off(plan, 10)
    synced: list[Path] = []
    monkeypatch.setattr(encoded_parts, "sync_folder", synced.append)
    parts = EncodedParts(plan, PART_FRAMES)
    parts.take_over(always, RUN)
    assert parts.next_frame == 8
    assert synced == [part_folder(plan.path)]


def test_parts_of_another_run_are_cleared(plan: OutputPlan) -> None:
    cut_off(plan, 10)
    assert rest_of(plan, RUN) == [4, 8]
    assert rest_of(plan, RunId("another run", Path("out.h5"))) == []
    assert rest_of(plan, RUN) == []


def test_parts_stay_where_they_are_not_enough(plan: OutputPlan) -> None:
    """Somebody may find the others; nothing is taken away from them."""
    cut_off(plan, 10)
    for run in (RUN, RunId("another run", Path("out.h5"))):
        with pytest.raises(InputError, match="--restart"):
            rest_of(plan, run, nowhere_else=9)
    assert rest_of(plan, RUN, nowhere_else=8) == [4, 8]


@pytest.mark.parametrize(("nowhere_else", "taken"), [(4, [4]), (0, [])])
def test_parts_of_an_earlier_version_stay_if_they_must(
    plan: OutputPlan, nowhere_else: int, taken: list[int]
) -> None:
    begun_s = time.time() - 1
    cut_off(plan, 10)
    label = part_folder(plan.path) / "settings"
    label.write_text(label.read_text().splitlines()[0] + "\n")
    run = RunId("made of what the file says", Path("out.h5"), begun_s)
    assert rest_of(plan, run, nowhere_else) == taken
    # From now on they have an identity.
    assert rest_of(plan, run, nowhere_else) == taken


def test_parts_of_an_earlier_version_that_are_older_than_the_run_are_refused(
    plan: OutputPlan,
) -> None:
    cut_off(plan, 10)
    label = part_folder(plan.path) / "settings"
    label.write_text(label.read_text().splitlines()[0] + "\n")
    run = RunId("made of what the file says", Path("out.h5"), time.time() + 60)
    with pytest.raises(InputError, match="--restart"):
        rest_of(plan, run, nowhere_else=4)
