"""How the ranks of one call of the Python interface end together, whatever happens on whichever.

A script goes on after an error, or ends; it has no guard of its own. So every rank is told, raises
an error of its own, and none is left waiting for another.
"""

from collections.abc import Callable
from typing import TypeVar

from fastvid.commands.serve import take_part
from fastvid.errors import EXIT_FAILURE, EXIT_INTERRUPTED, FastvidError, RemoteError
from fastvid.parallel import messages
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.lifetime import GOOD_PATIENCE_S, abort_at_exit, leaving_patience_s
from fastvid.parallel.mpi.message import Quit
from fastvid.system.awake import Patience

T = TypeVar("T")


def lead(comm: Communicator, run: Callable[[], T]) -> T:
    """Rank 0's part: runs the job, then dismisses the others, with the error if there is one."""
    try:
        result = run()
    except BaseException as error:  # whatever it is: the others wait for this rank
        _dismiss(comm, exit_status(error), in_words(error))
        raise
    _dismiss(comm, 0, "")
    return result


def follow(comm: Communicator) -> None:
    """The part of every other rank: works until rank 0 dismisses it.

    Raises RemoteError with what went wrong on rank 0, or what went wrong here.
    """
    try:
        dismissal = take_part(comm)
    except RemoteError as error:  # rank 0 has fallen silent
        abort_at_exit(error.exit_status)
        raise
    except BaseException as error:
        if not _give_notice(comm, error):
            abort_at_exit(exit_status(error))
        raise
    if dismissal.exit_status:
        raise RemoteError(f"rank 0: {dismissal.reason}", dismissal.exit_status)


def exit_status(error: BaseException) -> int:
    """What a program ends with that does not catch this."""
    if isinstance(error, FastvidError):
        return error.exit_status
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code:
        return error.code
    return EXIT_FAILURE


def in_words(error: BaseException) -> str:
    """What to tell another rank of an error."""
    if isinstance(error, FastvidError):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _dismiss(comm: Communicator, status: int, reason: str) -> None:
    """Tells all other ranks to leave and waits for their farewells, and again at the end of the
    program if they have not come."""
    patience_s, complete = leaving_patience_s(status), False
    try:
        complete = comm.send_home(status, patience_s, reason)
    finally:
        if not complete:
            abort_at_exit(status, patience_s)


def _give_notice(comm: Communicator, error: BaseException) -> bool:
    """Tells rank 0, in this job or any that it begins, that this rank can't go on, until it
    dismisses all; false if it does not."""
    failure = messages.Failure(in_words(error), exit_status(error))
    comm.send(0, failure)
    patience = Patience(GOOD_PATIENCE_S)
    while not patience.over():
        for message in comm.poll():
            if isinstance(message.body, Quit):
                return comm.say_farewell()
            if isinstance(message.body, messages.Setup):
                comm.join_job(message.job)
                comm.send(0, failure)
        comm.rest()
    return False
