"""Runs of several styles that are not equally far, where frames of the one were freed already."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from fastvid.style.loading import load_recurrent, load_style
from support import cut_off_runs, job_clips, oracle, recurrent_oracle
from support.cut_off_runs import PART_FRAMES, SLOW_PAINT, freed_count
from support.job_clips import Clip
from support.launching import stored_count
from support.recurrent_runs import SMALL, arguments

pytestmark = pytest.mark.mpi

SLOW_BLEND = {"stage": "blend", "sleep": 0.15}
NAMES = ("first", "second")


def styles_of(make: Callable[[int], bytes], folder: Path) -> list[Path]:
    paths = [folder / f"{name}.pt" for name in NAMES]
    for seed, path in enumerate(paths, start=5):
        path.write_bytes(make(seed))
    return paths


def common(clip: Clip, *more: object) -> list[object]:
    return [
        *(clip.path, "--cuts", "none", "--codec", "ffv1", "--segment-length", "3"),
        *("--lookahead", "2", "--discard-frames", *more),
    ]


def put_apart(command: list[object], styles: Sequence[Path], folder: Path) -> None:
    """Each style alone is killed: the first when it has freed two parts, the second when it has
    stored a segment."""
    first, second = (folder / f"out.{name}.h5" for name in NAMES)
    for style, reached in (
        (styles[0], lambda: freed_count(first) >= 2 * PART_FRAMES),
        (styles[1], lambda: stored_count(second) > 0),
    ):
        alone = [*command, "-o", folder / f"out.{style.stem}.mkv", "--style", style]
        cut_off_runs.killed_at(alone, reached, SLOW_PAINT, SLOW_BLEND)
    assert stored_count(second) < 2 * PART_FRAMES < stored_count(first) < job_clips.UNCUT_FRAMES


def go_on_together(
    command: list[object], styles: Sequence[Path], folder: Path, ranks: int
) -> dict[str, np.ndarray]:
    both = [*command, "-o", folder / "out.mkv"]
    for style in styles:
        both += ["--style", style]
    ended = cut_off_runs.finished(both, ranks=ranks)
    assert ended.status == 0, ended.stderr
    return {name: np.stack(job_clips.decoded_frames(folder / f"out.{name}.mkv")) for name in NAMES}


def test_a_style_goes_on_from_its_own_frames(uncut_clip: Clip, tmp_path: Path) -> None:
    """Where the other one is still behind, its frames were freed long ago."""
    styles, command = styles_of(job_clips.style_bytes, tmp_path), common(uncut_clip)
    put_apart(command, styles, tmp_path)
    films = go_on_together(command, styles, tmp_path, ranks=3)
    frames = job_clips.decoded_frames(uncut_clip.path)
    for name, style in zip(NAMES, styles, strict=True):
        expected = oracle.repaint(frames, (), load_style(str(style)))
        assert np.array_equal(films[name], expected), name


@pytest.mark.parametrize("overlapped", [False, True])
def test_so_does_a_recurrent_model(uncut_clip: Clip, tmp_path: Path, overlapped: bool) -> None:
    """It would never forget a frame that was not its own."""
    styles = styles_of(job_clips.recurrent_bytes, tmp_path)
    command = common(uncut_clip, *(arguments(SMALL) if overlapped else []))
    put_apart(command, styles, tmp_path)
    films = go_on_together(command, styles, tmp_path, ranks=2)
    frames = job_clips.decoded_frames(uncut_clip.path)
    for name, style in zip(NAMES, styles, strict=True):
        model = load_recurrent(style.read_bytes(), name)
        if overlapped:
            expected = recurrent_oracle.overlapped(frames, (), model, SMALL)
        else:
            expected = recurrent_oracle.repaint(frames, (), model)
        assert np.array_equal(films[name], expected), name


def test_segments_of_another_length_need_no_freed_frame(uncut_clip: Clip, tmp_path: Path) -> None:
    """They would begin before the last stored frame, and what is before that is gone."""
    style = styles_of(job_clips.style_bytes, tmp_path)[0]
    command = [*common(uncut_clip), "-o", tmp_path / "out.mkv", "--style", style]
    command[command.index("--segment-length") + 1] = PART_FRAMES
    run_path = tmp_path / "out.h5"
    cut_off_runs.killed_at(command, lambda: freed_count(run_path) >= PART_FRAMES, SLOW_PAINT)
    command[command.index("--segment-length") + 1] = 4
    ended = cut_off_runs.finished(command)
    assert ended.status == 0, ended.stderr
    expected = oracle.repaint(job_clips.decoded_frames(uncut_clip.path), (), load_style(str(style)))
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected)
