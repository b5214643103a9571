"""What a run of a recurrent model is told and asked: its options, its plan, its evaluation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastvid.errors import InputError
from fastvid.job.opening import check_kind
from fastvid.job.options import StylizeOptions
from fastvid.style.loading import load_model
from support import job_clips
from support.job_clips import Clip


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
        ({"stroke": 2.0}, "--stroke does not go"),
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
