"""Recurrent models in a run: what a plain loop over the frames gives, on any number of ranks."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastvid.errors import InputError
from fastvid.job.opening import check_kind
from fastvid.job.options import StylizeOptions
from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_frame_model, load_model, load_recurrent
from support import job_clips, recurrent_oracle
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, run_fastvid, run_program, stored_count
from support.places import PROGRAMS

RANKS = (1, 2, 3)


@pytest.fixture(scope="module")
def model_path(material: Path) -> Path:
    path = material / "recurrent.pt"
    path.write_bytes(job_clips.recurrent_bytes())
    return path


def stored_frames(path: Path) -> np.ndarray:
    with RunFile(path) as run:
        assert run.complete and run.stored.all()
        return np.stack([run.frame(index) for index in range(run.frame_count)])


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
    with RunFile(all_runs(3) / "cut.h5") as run:
        file = run._file
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


def test_another_first_frame_model_is_another_run(
    uncut_clip: Clip,
    model_path: Path,
    tiny_style: Path,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    command = [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        "--frames",
        "0:6",
        "--threads",
        "1",
    ]
    first = ["--first-frame-model", tiny_style]
    assert run_main(*command, *first)[0] == 0
    (tmp_path / "out.mkv").unlink()
    status, message = run_main(*command)
    assert status == 2 and "--first-frame-model is another" in message
    status, message = run_main(*command, *first)
    assert status == 0 and "6 of 6 frames are there" in message


@pytest.mark.parametrize("pipeline", ["exact", "overlap"])
def test_a_plan_of_a_recurrent_model(
    pipeline: str, uncut_clip: Clip, model_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from fastvid.__main__ import main

    assert (
        main(
            [
                "plan",
                str(uncut_clip.path),
                "--style",
                str(model_path),
                "--cuts",
                "none",
                "--ranks",
                "1,4",
                "--pipeline",
                pipeline,
            ]
        )
        == 0
    )
    assert "blend" in capfd.readouterr().out


def test_evaluation_of_a_recurrent_run(
    uncut_clip: Clip,
    model_path: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    run_main: Callable[..., tuple[int, str]],
) -> None:
    from fastvid.__main__ import main

    status, message = run_main(
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        "--frames",
        "0:12",
        "--threads",
        "1",
    )
    assert status == 0, message
    assert (
        main(
            [
                "evaluate",
                str(tmp_path / "out.h5"),
                str(uncut_clip.path),
                "--style",
                str(model_path),
                "--judge",
                "farneback",
                "--threads",
                "1",
            ]
        )
        == 0
    )
    assert "frame by frame" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"temporal_strength": 0.5},
            "--temporal-strength does not go with the recurrent model mine",
        ),
        ({"strength": 0.5}, "--strength does not go"),
        ({"keep_colors": True}, "--keep-colors does not go"),
    ],
)
def test_options_for_frame_models_are_refused(options: dict[str, Any], words: str) -> None:
    model = load_model(job_clips.recurrent_bytes(), "mine")
    check_kind(StylizeOptions(Path("in.mp4"), Path("out.mp4")), [model])
    with pytest.raises(InputError, match=words):
        check_kind(StylizeOptions(Path("in.mp4"), Path("out.mp4"), **options), [model])


def test_options_for_recurrent_models_are_refused() -> None:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), first_frame_model="x.pt")
    with pytest.raises(InputError, match="--first-frame-model is for recurrent models; tiny"):
        check_kind(options, [load_model(job_clips.style_bytes(), "tiny")])


def test_kinds_are_not_mixed() -> None:
    models = [
        load_model(job_clips.recurrent_bytes(), "mine"),
        load_model(job_clips.style_bytes(), "tiny"),
    ]
    with pytest.raises(InputError, match="mine is a recurrent model and tiny is not"):
        check_kind(StylizeOptions(Path("in.mp4"), Path("out.mp4")), models)
