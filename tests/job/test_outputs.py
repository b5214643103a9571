"""The parts of an output: they stay for a run that goes on from them, and for no other."""

from fractions import Fraction
from pathlib import Path

import pytest

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.output import plan_output
from fastvid.errors import InputError, RemoteError, Stopped
from fastvid.job.outputs import opened_parts
from fastvid.job.prepare import StyleOutput
from support import run_files
from support.run_files import HEIGHT, WIDTH

PART_FRAMES = 2
INFO = VideoInfo("in.mkv", WIDTH, HEIGHT, Fraction(1, 1000), Fraction(25), 4, ColorTags())


@pytest.fixture
def painting(tmp_path: Path) -> StyleOutput:
    output, run_path = tmp_path / "out.mkv", tmp_path / "out.h5"
    plan = plan_output(output, info=INFO, codec="ffv1")
    return StyleOutput("style", output, run_path, plan, run_files.create(run_path))


def close_a_part(parts: EncodedParts) -> None:
    """Stands for an encoder."""
    path = parts.folder / "open"
    path.touch()
    parts.add(parts.next_frame, parts.next_frame + PART_FRAMES, path)


def end(painting: StyleOutput, error: BaseException | None, closed: int) -> Path:
    """A run that ends after so many parts are closed; their folder."""
    try:
        with opened_parts(painting, PART_FRAMES) as parts:
            for _ in range(closed):
                close_a_part(parts)
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error
    return parts.folder


@pytest.mark.parametrize("error", [None, RemoteError("rank 1 is gone", 1), Stopped("stopped")])
def test_only_a_run_that_was_asked_to_stop_leaves_its_parts(
    painting: StyleOutput, error: BaseException | None
) -> None:
    assert end(painting, error, closed=1).is_dir() == isinstance(error, Stopped)


def test_a_stopped_run_without_parts_leaves_nothing(painting: StyleOutput) -> None:
    assert not end(painting, Stopped("stopped"), closed=0).exists()


def test_parts_whose_frames_were_freed_always_stay(painting: StyleOutput) -> None:
    run_files.store(painting.writer, 0, 0, PART_FRAMES)
    painting.writer.mark_encoded(0, PART_FRAMES)
    parts = EncodedParts(painting.plan, PART_FRAMES)
    parts.take_over(painting.writer.has, painting.writer.run_id)
    close_a_part(parts)
    assert list(end(painting, RemoteError("rank 1 is gone", 1), closed=0).glob("*.part"))


def test_parts_that_are_gone_can_not_be_gone_on_from(painting: StyleOutput) -> None:
    run_files.store(painting.writer, 0, 0, PART_FRAMES)
    painting.writer.mark_encoded(0, PART_FRAMES)
    with pytest.raises(InputError, match="--restart"), opened_parts(painting, PART_FRAMES):
        pass
