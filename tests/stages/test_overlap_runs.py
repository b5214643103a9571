"""Recurrent models in stretches: the same bytes on any number of ranks, whatever is interrupted."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastvid.style.loading import load_recurrent
from support import job_clips, recurrent_oracle
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, run_program, stored_count
from support.places import PROGRAMS
from support.recurrent_runs import SMALL, TOLERANT, arguments
from support.run_files import stored_frames


@pytest.fixture(scope="module")
def other_path(material: Path) -> Path:
    path = material / "other.pt"
    path.write_bytes(job_clips.recurrent_bytes(seed=4))
    return path


@pytest.fixture(scope="module")
def expected(
    cut_clip: Clip, uncut_clip: Clip, model_path: Path, other_path: Path
) -> dict[str, np.ndarray]:
    model, other = (
        load_recurrent(path.read_bytes(), path.stem) for path in (model_path, other_path)
    )
    cut, uncut = (job_clips.decoded_frames(clip.path) for clip in (cut_clip, uncut_clip))
    return {
        "cut": recurrent_oracle.overlapped(cut, cut_clip.cuts, model, SMALL),
        "uncut": recurrent_oracle.overlapped(uncut, (), model, SMALL),
        "tolerant.recurrent": recurrent_oracle.overlapped(uncut, (), model, TOLERANT),
        "tolerant.other": recurrent_oracle.overlapped(uncut, (), other, TOLERANT),
    }


def test_the_oracle_corrects(
    uncut_clip: Clip, model_path: Path, expected: dict[str, np.ndarray]
) -> None:
    """Otherwise equal results would say little."""
    model = load_recurrent(model_path.read_bytes(), "recurrent")
    frames = job_clips.decoded_frames(uncut_clip.path)
    exact = recurrent_oracle.repaint(frames, (), model)
    same = [bool(np.array_equal(*pair)) for pair in zip(exact, expected["uncut"], strict=True)]
    # The first stretch, and what is recomputed behind it; then nothing is the same.
    assert same == [True] * 11 + [False] * 12
    strict = recurrent_oracle.overlapped(frames, (), model, replace(TOLERANT, tolerance=0.0))
    assert not np.array_equal(expected["tolerant.recurrent"], strict)


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_same_bytes_on_any_number_of_ranks(
    ranks: int,
    cut_clip: Clip,
    uncut_clip: Clip,
    model_path: Path,
    other_path: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    """And of a style the same as it has alone."""
    common = ["--style", str(model_path), "--threads", "1", "--codec", "ffv1"]
    uncut = ["stylize", str(uncut_clip.path), "--cuts", "none", *common]
    jobs = [
        [
            "stylize",
            str(cut_clip.path),
            "--cuts",
            cut_clip.cuts_option,
            *common,
            *arguments(SMALL),
            "-o",
            str(tmp_path / "cut.mkv"),
        ],
        [
            *uncut,
            *arguments(SMALL),
            "--segment-length",
            "5",
            "-o",
            str(tmp_path / "uncut.mkv"),
            "--keep",
            "flow",
        ],
        [
            *uncut,
            *arguments(TOLERANT),
            "--segment-length",
            "16",
            "--decode",
            "local",
            "--style",
            str(other_path),
            "-o",
            str(tmp_path / "tolerant.mkv"),
        ],
    ]
    table = tmp_path / "jobs.json"
    table.write_text(json.dumps(jobs))
    finished = run_program([PROGRAMS / "several_jobs.py"], [table], ranks=ranks)
    assert finished.status == 0, finished.stderr
    assert "2 seams: temporal error" in finished.stderr
    for name, frames in expected.items():
        assert np.array_equal(stored_frames(tmp_path / f"{name}.h5"), frames), name


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("ranks", "ranks_afterwards", "frames", "discard"),
    [(1, 2, 3, False), (3, 1, 9, False), (2, 2, 9, True)],
)
def test_killed_and_continued(
    ranks: int,
    ranks_afterwards: int,
    frames: int,
    discard: bool,
    uncut_clip: Clip,
    model_path: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    """Also with segments of another length, and without the frames that are encoded already."""
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
        *arguments(SMALL),
    ]
    command += ["--discard-frames"] if discard else []
    parts = {"tuning": {"part_frames": 5}}
    slow = json.dumps([{"stage": "blend", "sleep": 0.06}, parts])
    with RunningJob(
        [PROGRAMS / "patched.py"],
        [slow, *command, "--segment-length", "3", "--threads", "1"],
        ranks=ranks,
    ) as job:
        deadline = time.monotonic() + TIMEOUT_S
        while stored_count(tmp_path / "out.h5") < frames:
            assert not job.ended() and time.monotonic() < deadline
            time.sleep(0.01)
        job.kill()
    stored = stored_count(tmp_path / "out.h5")
    assert frames <= stored < uncut_clip.frame_count
    finished = run_program(
        [PROGRAMS / "patched.py"],
        [json.dumps([parts]), *command, "--segment-length", "2", "--threads", "1"],
        ranks=ranks_afterwards,
    )
    assert finished.status == 0, finished.stderr
    if not discard:
        assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected["uncut"])
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected["uncut"])


@pytest.mark.mpi
def test_a_signal_stops_in_good_order(
    uncut_clip: Clip,
    model_path: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    """Stretches that wait for a past that does not come any more do not hold that up."""
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
        "--threads",
        "1",
        *arguments(SMALL),
    ]
    slow = json.dumps([{"stage": "blend", "sleep": 0.3}])
    with RunningJob([PROGRAMS / "patched.py"], [slow, *command, "--grace", "2"], ranks=2) as job:
        deadline = time.monotonic() + TIMEOUT_S
        while stored_count(tmp_path / "out.h5") < 3:
            assert not job.ended() and time.monotonic() < deadline
            time.sleep(0.01)
        job.terminate()
        stopped = job.wait()
    assert "stopped by SIGTERM" in stopped.stderr
    status, said = run_main(*command)
    assert status == 0, said
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected["uncut"])


def test_other_stretches_are_another_run(
    uncut_clip: Clip, model_path: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
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
        "0:8",
        "--threads",
        "1",
    ]
    assert run_main(*command, *arguments(SMALL))[0] == 0
    (tmp_path / "out.mkv").unlink()
    status, message = run_main(*command)
    assert status == 2 and "--pipeline was overlap, is exact" in message
    status, message = run_main(*command, *arguments(TOLERANT))
    assert status == 2 and "--overlap-segment was 8, is 7" in message


def test_evaluation_tells_of_seams(
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
        "--threads",
        "1",
        *arguments(SMALL),
    )
    assert status == 0 and "2 seams: temporal error" in message
    assert (
        main(
            [
                "evaluate",
                str(tmp_path / "out.h5"),
                str(uncut_clip.path),
                "--no-painting",
                "--judge",
                "farneback",
                "--threads",
                "1",
                "--json",
            ]
        )
        == 0
    )
    ratios = json.loads(capfd.readouterr().out)["seam_ratios"]
    assert len(ratios) == 2 and all(0.3 < ratio < 3 for ratio in ratios)
