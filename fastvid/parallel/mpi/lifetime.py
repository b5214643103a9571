"""The beginning and the end of MPI in a process."""

import atexit
import os
from collections.abc import Callable
from typing import NoReturn

from fastvid.errors import EXIT_BAD_INPUT
from fastvid.parallel.mpi.bell import Bell
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.meeting import meet
from fastvid.parallel.mpi.peer import Peer
from fastvid.parallel.mpi.transport import end_mpi, start_mpi
from fastvid.parallel.mpi.waiting import LONGEST_SLEEP_S, RUNG_SLEEP_S, Waiting
from fastvid.system.streams import flush_streams

# How long rank 0 waits for all ranks to leave after a job that went well. They may still be loading
# libraries for it, on a busy host.
GOOD_PATIENCE_S = 120.0
# The same after input that can't be used, for which no rank can have died at its work: ended before
# they leave, they would turn the exit status into that of a killed program.
REFUSED_PATIENCE_S = 30.0
# How long a rank that gives up waits for its messages to leave: a dead rank never takes them.
FAILED_PATIENCE_S = 2.0

# Kept until MPI ends: arrays that are on their way when a job breaks off must not be freed under
# it. (Left to the end of the interpreter, MPI would end after they are gone, and crash.)
_connected: list[Communicator] = []


def connect(
    bell: Bell | None = None,
    rung_sleep_s: float = RUNG_SLEEP_S,
    seen_as: Callable[[Peer], Peer] = lambda peer: peer,
) -> Communicator:
    """Starts MPI and meets the other ranks; later calls return what the first one did.

    bell: what this rank sleeps on, None for one of its own. rung_sleep_s: the longest sleep where
    every rank rings, all on one host. seen_as: as what each rank is taken; benchmarks emulate a
    cluster with it.
    Raises InputError if there is no MPI library, or if the launcher belongs to another MPI and has
    started many programs of size one.
    """
    if not _connected:
        transport = start_mpi()
        bell = bell or Bell()
        meeting = meet(transport, bell, seen_as)
        if meeting.over_network:  # a ring may get lost there
            rung_sleep_s = min(rung_sleep_s, LONGEST_SLEEP_S)
        waiting = Waiting(bell, meeting.rung_by_all, rung_sleep_s)
        _connected.append(Communicator(transport, bell, meeting, waiting))
    return _connected[0]


def leaving_patience_s(exit_status: int) -> float:
    """How long rank 0 waits for all ranks to leave after a job with that exit status."""
    known = {0: GOOD_PATIENCE_S, EXIT_BAD_INPUT: REFUSED_PATIENCE_S}
    return known.get(exit_status, FAILED_PATIENCE_S)


def abort_at_exit(exit_status: int, farewells_s: float = 0.0) -> None:
    """When this interpreter ends, ends all ranks, so that none of them waits in the end of MPI for
    one that never comes; unless the farewells that are due on rank 0 come within `farewells_s`."""
    atexit.register(_abort, exit_status, farewells_s)


def _abort(exit_status: int, farewells_s: float) -> None:
    comm = connect()
    if farewells_s and comm.wait_for_farewells(farewells_s):
        return
    flush_streams()
    comm.abort(exit_status)


def finalize() -> None:
    """Ends MPI in this process, if it has begun."""
    if _connected:
        end_mpi()
        _connected[0].close()


def leave(exit_status: int) -> NoReturn:
    """Ends MPI and this process without waiting for its threads."""
    finalize()
    os._exit(exit_status)
