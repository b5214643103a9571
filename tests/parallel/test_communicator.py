"""The mailbox of a rank, under real mpirun: programs/mailbox.py checks, this file asks."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.launching import run_fastvid, run_program
from support.places import PROGRAMS

pytestmark = pytest.mark.mpi

# Some 0.1 % on an idle machine, 100 % for a rank that spins.
CHEAP = 0.25


# Ranks, and those of them that have no bell.
@pytest.fixture(scope="module", params=[(1, ""), (2, ""), (4, ""), (2, "0,1"), (3, "2")], ids=str)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the checks found on so many ranks."""
    results = tmp_path_factory.mktemp("mailbox") / "results.json"
    ranks, deaf = request.param
    finished = run_program([PROGRAMS / "mailbox.py"], [results, deaf], ranks=ranks)
    assert finished.status == 0, finished.stderr
    return {"ranks": ranks, "deaf": deaf, **json.loads(results.read_text())}


def test_every_message_arrives_whole_and_in_order(found: dict[str, Any]) -> None:
    assert found["check_everything_arrives"] == "ok"


def test_many_ranks_to_one(found: dict[str, Any]) -> None:
    assert found["check_many_to_one"] == "ok"


def test_old_jobs_are_dropped(found: dict[str, Any]) -> None:
    assert found["check_old_jobs_are_dropped"] == "ok"


def test_ranks_that_wait_burn_no_core(found: dict[str, Any]) -> None:
    assert found["check_waiting_is_cheap"] < CHEAP


def test_ranks_look_by_themselves_unless_all_have_bells(found: dict[str, Any]) -> None:
    assert found["check_rung_by_all"] == (not found["deaf"])


def test_a_sleeping_rank_is_asked_to_stop(found: dict[str, Any]) -> None:
    assert found["check_stop_is_heard"] == "ok"


def test_ranks_know_each_other(found: dict[str, Any]) -> None:
    size, cores, memory = found["check_peers"]
    assert size == found["ranks"]
    # Ranks on the same cores share them.
    assert cores == max(1, len(os.sched_getaffinity(0)) // size) or cores == 1
    assert memory > 1 << 20


def test_a_foreign_launcher_is_noticed(tmp_path: Path) -> None:
    """The launcher says three programs, MPI says one: each would write the same output."""
    command = [tmp_path / "in.mp4", "-o", tmp_path / "out.mp4"]
    for rank, count in (("0", 1), ("2", 0)):
        finished = run_fastvid(
            *command, ranks=0, env={"OMPI_COMM_WORLD_SIZE": "3", "OMPI_COMM_WORLD_RANK": rank}
        )
        assert finished.status == 2
        assert finished.stderr.count("alone in its MPI") == count
