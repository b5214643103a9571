"""What jobs/lib.sh does with the end of the program, without Slurm: a fake scontrol on the PATH."""

import signal
from pathlib import Path

import pytest

from support.job_scripts import CANCEL, SLEEP, WARNING, executable, run_script


@pytest.mark.parametrize(
    ("acts", "status"),
    [
        ("listen ready exit-75", 75),  # stopped in good order
        ("ready", 138),  # killed by the warning
        ("listen ready kill-9", 137),
        # As mpich's mpirun says it: the numbers of the signals that killed ranks, in one.
        ("listen ready exit-9", 9),
        ("listen ready exit-10", 10),
        ("listen ready exit-15", 15),
        # As srun and Open MPI's mpirun say it.
        ("listen ready exit-137", 137),
        ("listen ready exit-138", 138),
        ("listen ready exit-142", 142),
        ("listen ready exit-143", 143),
    ],
)
def test_what_its_warning_ended_is_requeued(tmp_path: Path, acts: str, status: int) -> None:
    found, asked, messages = run_script(tmp_path, acts, [WARNING])
    assert (found, asked) == (status, ["requeue 7"]), messages
    assert "back in the queue (restart 1)" in messages


@pytest.mark.parametrize(
    ("acts", "signals", "status"),
    [
        ("listen ready exit-0", [WARNING], 0),  # it was done
        ("listen ready exit-1", [WARNING], 1),
        ("listen ready exit-2", [WARNING], 2),
        ("listen ready exit-134", [WARNING], 134),  # an abort of its own
        ("listen ready exit-11", [WARNING], 11),  # a segmentation fault, as mpich says it
        ("listen ready kill-11", [WARNING], 139),
        ("listen ready exit-75", [CANCEL], 75),
        ("ready", [CANCEL], 143),
        ("listen ready exit-75", [WARNING, CANCEL], 75),
        ("listen ready exit-137", [WARNING, CANCEL], 137),
        ("exit-75", [], 75),  # a time limit of its own
        ("exit-9", [], 9),
        ("exit-137", [], 137),
        ("exit-138", [], 138),
        ("exit-1", [], 1),
        ("exit-2", [], 2),
        ("exit-0", [], 0),
    ],
)
def test_anything_else_stays_ended(
    tmp_path: Path, acts: str, signals: list[signal.Signals], status: int
) -> None:
    found, asked, messages = run_script(tmp_path, acts, signals)
    assert (found, asked) == (status, []), messages


def test_a_cancel_counts_that_reaches_the_ranks_first(tmp_path: Path) -> None:
    """They have ended when the script hears of it."""
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin" / "sleep", SLEEP)
    found, asked, messages = run_script(tmp_path, "listen ready exit-75", [WARNING])
    assert (found, asked) == (75, []), messages


def test_a_task_of_an_array_requeues_itself_alone(tmp_path: Path) -> None:
    _, asked, messages = run_script(
        tmp_path, "listen ready exit-75", [WARNING], SLURM_ARRAY_JOB_ID="5", SLURM_ARRAY_TASK_ID="3"
    )
    assert asked == ["requeue 5_3"], messages


def test_restarts_come_to_an_end(tmp_path: Path) -> None:
    found, asked, messages = run_script(
        tmp_path,
        "listen ready exit-75",
        [WARNING],
        SLURM_RESTART_COUNT="4",
        FASTVID_MAX_RESTARTS="4",
    )
    assert (found, asked) == (75, []) and "giving up (FASTVID_MAX_RESTARTS=4)" in messages


def test_a_site_that_does_not_requeue_is_said(tmp_path: Path) -> None:
    found, asked, messages = run_script(
        tmp_path, "listen ready exit-75", [WARNING], FASTVID_TEST_REFUSES="1"
    )
    assert (found, asked) == (75, ["requeue 7"])
    assert "Slurm does not requeue this job" in messages and "back in the queue" not in messages
