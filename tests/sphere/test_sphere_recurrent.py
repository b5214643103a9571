"""Recurrent models on spheres: their past goes around the back, too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastvid.commands.clip.sphere import SphereClip
from fastvid.job.identity import picture_settings
from fastvid.job.options import StylizeOptions
from fastvid.sphere.projection import Sphere
from fastvid.stages.overlap import Overlap
from fastvid.stages.recurrent import RecurrentRepaint
from fastvid.style.loading import load_model, load_style
from fastvid.style.recurrent import RecurrentModel
from support.job_clips import recurrent_bytes, write_clip
from support.launching import run_program
from support.recurrent_runs import arguments
from support.run_files import stored_frames

FRAMES = 9
WIDTH, HEIGHT = 256, 128
# Two stretches of uneven length.
STRETCHES = Overlap(segment=4, warm_up=2, recompute=1, fade=1, tolerance=0.0)


def last_finished(sphere: Sphere | None, turn: int, with_first: bool = False) -> np.ndarray:
    """The third frame of a film that is turned around by so many pixels, and turned back."""
    clip = SphereClip(WIDTH, HEIGHT, frame_count=3, turn=5.0)
    model = load_model(recurrent_bytes(), "tiny")
    assert isinstance(model, RecurrentModel)
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"))
    settings = picture_settings(options, threads=1, recurrent=True, sphere=sphere)

    def exact(
        frame: np.ndarray, previous: np.ndarray, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        flow = np.roll(clip.flow(number, number - 1), turn, axis=1)
        return flow, np.ones((HEIGHT, WIDTH), bool)

    first = load_style("starry_night") if with_first else None
    stages = RecurrentRepaint([model], settings, (), first, exact)
    frames = [np.roll(clip.frame(index), turn, axis=1) for index in range(3)]
    finished = stages.begin(frames[0])
    for number in (1, 2):
        motion = stages.motion(frames[number], frames[number - 1], number)
        finished = stages.blend(stages.paint(frames[number]), finished, motion)
    return np.roll(finished[0], -turn, axis=1)


@pytest.mark.parametrize("with_first", [False, True])
def test_a_turned_film_is_painted_alike(with_first: bool) -> None:
    rows = slice(50 * HEIGHT // 180, 130 * HEIGHT // 180)
    apart = {}
    for sphere in (Sphere("equirect"), None):
        level, turned = (last_finished(sphere, turn, with_first) for turn in (0, WIDTH // 2))
        columns = np.abs(turned[rows].astype(int) - level[rows]).mean(axis=(0, 2))
        # Random weights make much of little; where there is no seam either way is what they make.
        usual = columns[WIDTH // 4 - 8 : WIDTH // 4 + 8].mean()
        apart[sphere] = columns[[*range(8), *range(WIDTH - 8, WIDTH)]].mean() / usual
    assert apart[Sphere("equirect")] < 1.2 and apart[None] > 3


@pytest.mark.mpi
@pytest.mark.parametrize("pipeline", ["exact", "overlap"])
def test_any_number_of_ranks_gives_the_same_bytes(
    pipeline: str, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    """A film of two eyes, of half a sphere each."""
    clip = SphereClip(256, 128, frame_count=FRAMES, turn=5.0)
    eyes = [clip.frame(index)[:, 64:192] for index in range(FRAMES)]
    images = [np.concatenate([eye, np.roll(eye, 2, axis=1)], axis=1) for eye in eyes]
    write_clip(tmp_path / "in.mkv", images, range(0, 40 * FRAMES, 40))
    (tmp_path / "tiny.pt").write_bytes(recurrent_bytes())
    made = []
    for ranks, decode in ((1, "local"), (3, "rank0")):
        output = tmp_path / f"{ranks}.mkv"
        words = [
            *(tmp_path / "in.mkv", "-o", output, "--style", tmp_path / "tiny.pt"),
            *("--projection", "half-equirect", "--stereo", "left-right", "--cuts", "none"),
            *("--segment-length", "2", "--decode", decode, "--threads", "1"),
            *(arguments(STRETCHES) if pipeline == "overlap" else ()),
        ]
        if ranks == 1:
            assert run_main(*words)[0] == 0
        else:
            done = run_program(["-m", "fastvid"], words, ranks=ranks)
            assert done.status == 0, done.stderr
        made.append(stored_frames(output.with_suffix(".h5")))
    np.testing.assert_array_equal(made[0], made[1])
