"""Recurrent models in a run: what a plain loop over the frames gives, on any number of ranks."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastvid.style.loading import load_frame_model, load_recurrent
from support import job_clips, recurrent_oracle
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, run_fastvid, run_program, stored_count
from support.places import PROGRAMS
from support.run_files import stored_frames

RANKS = (1, 2, 3)


@pytest.fixture(scope="module")
def all_runs(
    cut_clip: Clip,
    uncut_clip: Clip,
    model_path: Path,
    tiny_style: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[int], Path]:
    """Makes the runs on so many ranks, once; returns their folder. Shots of 12, 1 and 17 frames in
    segments of 5, and one of 23 in the default ones."""
    made: dict[int, Path] = {}

    def runs(ranks: int) -> Path:
        if ranks not in made:
            folder = tmp_path_factory.mktemp(f"recurrent{ranks}")
            common = ["--threads", "1", "--codec", "ffv1"]
            cut = [
                "stylize",
                str(cut_clip.path),
                "--cuts",
                cut_clip.cuts_option,
                "--style",
                str(model_path),
                "--segment-length",
                "5",
                *common,
            ]
            uncut = [
                "stylize",
                str(uncut_clip.path),
                "--cuts",
                "none",
                "--style",
                str(model_path),
                *common,
            ]
            jobs = [
                [*cut, "-o", str(folder / "cut.mkv"), "--keep", "flow,occlusion"],
                [
                    *cut,
                    "-o",
                    str(folder / "first.mkv"),
                    "--first-frame-model",
                    str(tiny_style),
                    "--lookahead",
                    "1",
                ],
                [*uncut, "-o", str(folder / "uncut.mkv")],
            ]
            table = folder / "jobs.json"
            table.write_text(json.dumps(jobs))
            finished = run_program([PROGRAMS / "several_jobs.py"], [table], ranks=ranks)
            assert finished.status == 0, finished.stderr
            made[ranks] = folder
        return made[ranks]

    return runs


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", RANKS)
def test_frames_equal_the_plain_loop(
    ranks: int,
    all_runs: Callable[[int], Path],
    cut_clip: Clip,
    uncut_clip: Clip,
    model_path: Path,
    tiny_style: Path,
) -> None:
    model = load_recurrent(model_path.read_bytes(), "recurrent")
    first = load_frame_model(tiny_style.read_bytes(), "tiny")
    cut, uncut = (job_clips.decoded_frames(clip.path) for clip in (cut_clip, uncut_clip))
    expected = recurrent_oracle.repaint(cut, cut_clip.cuts, model)
    alone = np.stack(model.paint(cut))
    for index in range(len(cut)):  # otherwise equal results would say little
        begins_shot = index in (0, *cut_clip.cuts)
        assert np.array_equal(expected[index], alone[index]) == begins_shot
    folder = all_runs(ranks)
    assert np.array_equal(stored_frames(folder / "cut.h5"), expected)
    assert np.array_equal(
        stored_frames(folder / "uncut.h5"), recurrent_oracle.repaint(uncut, (), model)
    )
    assert np.array_equal(
        stored_frames(folder / "first.h5"),
        recurrent_oracle.repaint(cut, cut_clip.cuts, model, first),
    )


@pytest.mark.mpi
def test_flow_and_occlusion_are_kept(all_runs: Callable[[int], Path], cut_clip: Clip) -> None:
    """The mask that is stored is the one before the minimum filter."""
    frames = job_clips.decoded_frames(cut_clip.path)
    backward, _ = recurrent_oracle.past_of(frames[20], frames[19])
    with h5py.File(all_runs(3) / "cut.h5") as file:
        assert np.array_equal(file["flow/backward"][20], backward)
        occluded = file["occlusion"][:]
    assert occluded[13].all() and 0 < occluded[20].mean() < 0.5


@pytest.mark.mpi
@pytest.mark.parametrize(("ranks", "ranks_afterwards"), [(2, 1), (1, 3)])
def test_killed_and_continued(
    ranks: int, ranks_afterwards: int, uncut_clip: Clip, model_path: Path, tmp_path: Path
) -> None:
    command = [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--cuts",
        "none",
        "--segment-length",
        "3",
        "--codec",
        "ffv1",
    ]
    slow = json.dumps([{"stage": "motion", "sleep": 0.08}])
    with RunningJob(
        [PROGRAMS / "patched.py"], [slow, *command, "--threads", "1"], ranks=ranks
    ) as job:
        deadline = time.monotonic() + TIMEOUT_S
        while stored_count(tmp_path / "out.h5") < 6:
            assert not job.ended() and time.monotonic() < deadline
            time.sleep(0.02)
        job.kill()
    stored = stored_count(tmp_path / "out.h5")
    assert 6 <= stored < uncut_clip.frame_count
    finished = run_fastvid(*command, ranks=ranks_afterwards)
    assert finished.status == 0, finished.stderr
    assert f"{stored} of {uncut_clip.frame_count} frames are there" in finished.stderr
    model = load_recurrent(model_path.read_bytes(), "recurrent")
    expected = recurrent_oracle.repaint(job_clips.decoded_frames(uncut_clip.path), (), model)
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected)


@pytest.mark.mpi
def test_several_recurrent_models(uncut_clip: Clip, model_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(job_clips.recurrent_bytes(seed=4))
    finished = run_fastvid(
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--style",
        other,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        ranks=2,
    )
    assert finished.status == 0, finished.stderr
    frames = job_clips.decoded_frames(uncut_clip.path)
    for path in (model_path, other):
        model = load_recurrent(path.read_bytes(), path.stem)
        assert np.array_equal(
            stored_frames(tmp_path / f"out.{path.stem}.h5"),
            recurrent_oracle.repaint(frames, (), model),
        )
