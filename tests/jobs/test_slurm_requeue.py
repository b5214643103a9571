"""Jobs that are warned, requeued, cancelled or lose a rank under a real Slurm."""

import json
from pathlib import Path

import numpy as np
import pytest

from fastvid.runfile.reader import RunFile
from support import job_clips
from support.job_clips import Clip
from support.launching import run_fastvid
from support.places import JOBS, PROGRAMS
from support.slurm_cluster import SlurmCluster
from support.slurm_jobs import (
    MIN_STORED,
    SMALL,
    SRUN,
    arguments,
    frames_in,
    stand_in,
    start_again_soon,
    wait_for_frames,
)

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.mpi, pytest.mark.timeout(600)]


def test_videos_array_requeues_one_task(
    slurm: SlurmCluster, slow: dict[str, str], cut_clip: Clip, uncut_clip: Clip, tiny_style: Path
) -> None:
    """The last task bears the number of the whole array; its warning must not bring back others."""
    (slurm.work / "a film.mkv").symlink_to(uncut_clip.path)
    (slurm.work / "videos.txt").write_text(f"a film.mkv\n{cut_clip.path}\n")
    Path(slow["FASTVID_TEST_PAUSE"]).write_text("0")
    job = slurm.submit(
        *SMALL,
        "--array=1-2%1",
        JOBS / "videos-array.sbatch",
        "videos.txt",
        "made",
        "--style",
        tiny_style,
        "--segment-length",
        "1",
        **slow,
    )
    slurm.wait(job, lambda records: records[0]["JobState"] == "COMPLETED" and len(records) == 2)
    Path(slow["FASTVID_TEST_PAUSE"]).write_text("2")
    wait_for_frames(slurm.work / "made" / "cut.h5", 1)
    slurm.run("scancel", "--batch", "--signal=USR1", f"{job}_2")
    start_again_soon(slurm, f"{job}_2")
    Path(slow["FASTVID_TEST_PAUSE"]).unlink()
    records = slurm.wait(job)
    assert [(r["JobState"], r["Restarts"]) for r in records] == [
        ("COMPLETED", "0"),
        ("COMPLETED", "1"),
    ], slurm.logs()
    for name in ("a film", "cut"):
        with RunFile(slurm.work / "made" / f"{name}.h5") as run:
            assert run.complete


def test_time_limit_requeues_and_changes_nothing(
    slurm: SlurmCluster,
    slow: dict[str, str],
    cut_clip: Clip,
    tiny_style: Path,
    expected: np.ndarray,
) -> None:
    """Slurm looks at its limits twice a minute: the job must last longer than that."""
    pause = Path(slow["FASTVID_TEST_PAUSE"])
    pause.write_text("4")
    output = slurm.work / "limited.mkv"
    job = slurm.submit(
        *SMALL,
        "--time=10",
        JOBS / "stylize-cpu.sbatch",
        *arguments(cut_clip, output, tiny_style),
        **slow,
    )
    wait_for_frames(slurm.work / "limited.h5", MIN_STORED)
    # The warning is due a minute before the end: at once.
    slurm.run("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    start_again_soon(slurm, job)
    with RunFile(slurm.work / "limited.h5") as run:
        stored = np.flatnonzero(run.stored)
        assert MIN_STORED <= len(stored) < cut_clip.frame_count and not run.complete
        assert all(np.array_equal(run.frame(int(i)), expected[i]) for i in stored)
    pause.unlink()
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("COMPLETED", "1"), slurm.logs()
    assert np.array_equal(frames_in(slurm.work / "limited.h5"), expected)
    assert job_clips.decoded_times(output) == job_clips.decoded_times(cut_clip.path)
    assert f"{len(stored)} of {cut_clip.frame_count} frames are there" in slurm.logs()


def test_warning_without_a_restart_left_is_a_failure(
    slurm: SlurmCluster, slow: dict[str, str], cut_clip: Clip, tiny_style: Path
) -> None:
    output = slurm.work / "last.mkv"
    job = slurm.submit(
        *SMALL,
        JOBS / "stylize-cpu.sbatch",
        *arguments(cut_clip, output, tiny_style),
        FASTVID_MAX_RESTARTS="0",
        **slow,
    )
    wait_for_frames(slurm.work / "last.h5", 1)
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["ExitCode"], record["Restarts"]) == (
        "FAILED",
        "75:0",
        "0",
    ), slurm.logs()
    assert not output.exists() and "giving up (FASTVID_MAX_RESTARTS=0)" in slurm.logs()


@pytest.mark.parametrize("late_s", [0.0, 3600.0], ids=["in good order", "killed"])
def test_warning_requeues_what_srun_launched(
    slurm: SlurmCluster, uncut_clip: Clip, tiny_style: Path, late_s: float
) -> None:
    """Also if a rank is still busy at the end of the grace period, as with loading libraries, and
    is killed. The restarted job runs as any other."""
    folder = slurm.work / f"srun-{late_s:.0f}"
    folder.mkdir()
    python = stand_in(folder, PROGRAMS / "late_loading.py")
    output = folder / "out.mkv"
    job = slurm.submit(
        *SMALL,
        JOBS / "stylize-cpu.sbatch",
        *arguments(uncut_clip, output, tiny_style),
        "--grace",
        "6",
        FASTVID_LAUNCH=SRUN,
        FASTVID_PYTHON=python,
        FASTVID_TEST_LATE=f"{late_s} {folder}",
    )
    wait_for_frames(folder / "out.h5", 1)
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    start_again_soon(slurm, job)
    assert (folder / "sent-home").exists() and (folder / "left").exists() == (late_s == 0.0)
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("COMPLETED", "1"), slurm.logs()
    with RunFile(folder / "out.h5") as run:
        assert run.complete


def test_a_killed_rank_ends_what_srun_launched(
    slurm: SlurmCluster, uncut_clip: Clip, tiny_style: Path
) -> None:
    """As when its node runs out of memory. Nobody asks for the job again: it has failed."""
    folder = slurm.work / "srun-killed-rank"
    folder.mkdir()
    rules = json.dumps(
        [
            {"stage": "paint", "sleep": 0.3},
            {"stage": "paint", "ranks": [1], "call": 3, "action": "kill"},
        ]
    )
    job = slurm.submit(
        *SMALL,
        JOBS / "stylize-cpu.sbatch",
        *arguments(uncut_clip, folder / "out.mkv", tiny_style),
        FASTVID_LAUNCH=SRUN,
        FASTVID_PYTHON=stand_in(folder, PROGRAMS / "patched.py", rules),
    )
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("FAILED", "0"), slurm.logs()
    with RunFile(folder / "out.h5") as run:
        assert run.stored.any() and not run.complete


def test_cancel_leaves_a_usable_run_file(
    slurm: SlurmCluster,
    slow: dict[str, str],
    cut_clip: Clip,
    tiny_style: Path,
    expected: np.ndarray,
) -> None:
    output = slurm.work / "cancelled.mkv"
    command = arguments(cut_clip, output, tiny_style)
    job = slurm.submit(*SMALL, JOBS / "stylize-cpu.sbatch", *command, **slow)
    wait_for_frames(slurm.work / "cancelled.h5", MIN_STORED)
    slurm.run("scancel", job)
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("CANCELLED", "0"), slurm.logs()
    with RunFile(slurm.work / "cancelled.h5") as run:
        stored = np.flatnonzero(run.stored)
        assert MIN_STORED <= len(stored) < cut_clip.frame_count
        assert all(np.array_equal(run.frame(int(i)), expected[i]) for i in stored)
    assert not output.exists()
    finished = run_fastvid("stylize", command[0], "-o", *command[1:], ranks=2)
    assert finished.status == 0, finished.stderr
    assert f"{len(stored)} of {cut_clip.frame_count} frames are there" in finished.stderr
    assert np.array_equal(frames_in(slurm.work / "cancelled.h5"), expected)
