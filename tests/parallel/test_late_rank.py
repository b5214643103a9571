"""A rank that is slow to start finds the whole of a short job in its mailbox at once."""

import signal
from pathlib import Path

import pytest

from fastvid.errors import EXIT_RUN_AGAIN
from fastvid.parallel.mpi.lifetime import FAILED_PATIENCE_S
from fastvid.runfile.reader import RunFile
from support.job_clips import Clip
from support.launching import RunningJob, run_program, wait_for_frames
from support.places import PROGRAMS

pytestmark = pytest.mark.mpi

LATE_S = FAILED_PATIENCE_S + 2.0
# Far more than it takes anybody to leave, and far less than a rank is late that never comes.
GRACE_S, NEVER_S = 90.0, 3600.0
SHORT_GRACE_S = 4.0


def late(seconds: float, folder: Path) -> dict[str, str]:
    """The environment of late_loading.py."""
    return {"FASTVID_TEST_LATE": f"{seconds} {folder}"}


def test_jobs_that_ended_before_a_rank_looked() -> None:
    """Beginning, end and farewell arrive together; none of them is overlooked."""
    finished = run_program([PROGRAMS / "late_rank.py"], [], ranks=3, timeout=120.0)
    assert finished.status == 7, finished.stderr


def test_bad_input_has_its_status_when_a_rank_is_late(tmp_path: Path) -> None:
    """Rank 0 knows at once; the other one leaves by itself and is not killed, which would show."""
    arguments = [tmp_path / "missing.mp4", "-o", tmp_path / "out.mp4"]
    finished = run_program(
        [PROGRAMS / "late_loading.py"],
        arguments,
        ranks=2,
        timeout=120.0,
        env=late(LATE_S, tmp_path),
    )
    assert finished.status == 2, finished.stderr
    assert finished.stderr.count("missing.mp4") == 1 and (tmp_path / "left").exists()


def stopped_job(
    clip: Clip, style: Path, folder: Path, late_s: float, grace_s: float, warning: signal.Signals
) -> tuple[int, str]:
    """Status and messages of a job that is warned while one of its ranks is busy."""
    arguments = [
        clip.path,
        "-o",
        folder / "out.mkv",
        "--style",
        style,
        "--cuts",
        "none",
        "--segment-length",
        "1",
        "--grace",
        grace_s,
        "--threads",
        "1",
    ]
    with RunningJob(
        [PROGRAMS / "late_loading.py"], arguments, ranks=2, env=late(late_s, folder)
    ) as job:
        wait_for_frames(job, folder / "out.h5", 1)
        job.signal(warning)
        finished = job.wait()
    with RunFile(folder / "out.h5") as run:
        assert run.stored.any() and not run.complete
    assert finished.stderr.count("stopped by") == 1, finished.stderr
    return finished.status, finished.stderr


@pytest.mark.parametrize("warning", [signal.SIGUSR1, signal.SIGTERM])
def test_a_late_rank_has_the_grace_period_to_leave(
    warning: signal.Signals, uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    """Killed before, it may turn the status into that of a killed program: nobody would know that
    the same command goes on."""
    status, messages = stopped_job(uncut_clip, tiny_style, tmp_path, LATE_S, GRACE_S, warning)
    assert status == EXIT_RUN_AGAIN and (tmp_path / "left").exists(), messages


def test_a_rank_that_never_comes_is_ended_with_the_grace_period(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    status, messages = stopped_job(
        uncut_clip, tiny_style, tmp_path, NEVER_S, SHORT_GRACE_S, signal.SIGTERM
    )
    assert status != 0 and not (tmp_path / "left").exists(), messages
