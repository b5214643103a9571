"""A rank that is slow to start finds the whole of a short job in its mailbox at once."""

import pytest

from launching import PROGRAMS, run_program

pytestmark = pytest.mark.mpi


def test_jobs_that_ended_before_a_rank_looked() -> None:
    """Beginning, end and farewell arrive together; none of them is overlooked."""
    finished = run_program([PROGRAMS / "late_rank.py"], [], ranks=3, timeout=120.0)
    assert finished.status == 7, finished.stderr
