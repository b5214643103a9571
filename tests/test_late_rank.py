"""A rank that is slow to start finds the whole of a short job in its mailbox at once."""

from pathlib import Path

import pytest

from launching import PROGRAMS, run_program

pytestmark = pytest.mark.mpi


def test_jobs_that_ended_before_a_rank_looked() -> None:
    """Beginning, end and farewell arrive together; none of them is overlooked."""
    finished = run_program([PROGRAMS / "late_rank.py"], [], ranks=3, timeout=120.0)
    assert finished.status == 7, finished.stderr


def test_bad_input_has_its_status_when_a_rank_is_late(tmp_path: Path) -> None:
    """Rank 0 knows at once; the other one leaves by itself and is not killed, which would show."""
    arguments = [tmp_path / "missing.mp4", "-o", tmp_path / "out.mp4"]
    finished = run_program([PROGRAMS / "late_loading.py"], arguments, ranks=2, timeout=120.0)
    assert finished.status == 2, finished.stderr
    assert finished.stderr.count("missing.mp4") == 1
