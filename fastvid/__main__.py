"""Guards, parses, calls. Whatever goes wrong on whatever rank ends all ranks, with one message."""

import os
import select
import sys
import time
import traceback
from collections.abc import Sequence

from fastvid.errors import (
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    EXIT_UNREAD,
    FastvidError,
    Stopped,
)
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.launch import LaunchError, launched_rank
from fastvid.parallel.mpi.lifetime import connect, finalize, leave, leaving_patience_s
from fastvid.parallel.mpi.stopping import ignore_warning_signals, signals_stop
from fastvid.system.allocator import keep_freed_memory
from fastvid.system.ending import still_busy
from fastvid.system.job_script import tell_left
from fastvid.system.streams import make_streams_last


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program on this rank; returns its exit status."""
    # A rank's threads are set from the cores it has; until then libraries must not take them all.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Threads that wait for each other in torch must not spin: where another program has one of the
    # cores they hold up the one that they wait for: it took three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()
    try:
        comm = connect()
    except FastvidError as error:
        # Programs that do not know of each other: let the first one speak for all.
        if not isinstance(error, LaunchError) or launched_rank(os.environ) == 0:
            _complain(str(error))
        return error.exit_status
    try:
        # From here on, not only within a job: a warning may come while libraries are loaded, and
        # until now mpich has swallowed SIGUSR1.
        with signals_stop(comm):
            if comm.rank != 0:
                # Only the other ranks need what it loads, at least for as short a thing as --help.
                from fastvid.commands.serve import serve

                return serve(comm)
            return _lead(comm, sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return _give_up(comm, "interrupted", EXIT_INTERRUPTED)
    except BaseException:  # an error of ours: the others must not wait for this rank
        where = f"{comm.peers[comm.rank]}: " if comm.size > 1 else ""
        return _give_up(comm, where + traceback.format_exc().strip(), EXIT_FAILURE)


def _lead(comm: Communicator, arguments: Sequence[str]) -> int:
    """Rank 0: runs the command line and sends the others home with its exit status."""
    leave_by = None
    try:
        status = _run(comm, arguments)
    except Stopped as stop:
        _write(f"fastvid: {stop}")
        status, leave_by = stop.exit_status, stop.leave_by
    except FastvidError as error:
        _complain(str(error))
        status = error.exit_status
    patience_s = leaving_patience_s(status)
    if leave_by is not None:
        # A rank that still loads libraries will leave once it has; ended before, it would turn the
        # status into that of a killed program.
        patience_s = leave_by - time.monotonic()
    if not comm.send_home(status, patience_s):
        _abort(comm, status)
    return status


def _run(comm: Communicator, arguments: Sequence[str]) -> int:
    """Runs the command line until what it says is written out, or nobody reads it any more."""
    from fastvid.commands.cli import run_command_line

    try:
        try:
            status = run_command_line(list(arguments), comm)
        except SystemExit as request:  # argparse: --help, already written
            status = request.code if isinstance(request.code, int) else EXIT_FAILURE
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_has_left():
            raise
        return EXIT_UNREAD
    return status


def _reader_has_left() -> bool:
    """Whether nobody reads the standard output any more; what is left of it is dropped then."""
    output = sys.stdout.fileno()
    pipe = select.poll()
    pipe.register(output, 0)
    if not any(event & select.POLLERR for _, event in pipe.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output)
    os.close(nowhere)
    return True


def _give_up(comm: Communicator, message: str, status: int) -> int:
    _complain(message)
    if comm.size > 1:
        _abort(comm, status)
    return status


def _abort(comm: Communicator, status: int) -> None:
    """Ends every rank at once."""
    if comm.rank == 0:
        tell_left(status)
    comm.abort(status)


def _complain(message: str) -> None:
    _write(f"fastvid: error: {message}")


def _write(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def run() -> None:
    """The entry point of `fastvid` and `python -m fastvid`."""
    make_streams_last()
    status = main()
    ignore_warning_signals()
    if launched_rank(os.environ) == 0:
        tell_left(status)
    if still_busy():
        # The interpreter can't end beside a thread that is deep in a library, or waits for a disk:
        # it would crash, or wait for its locks.
        sys.stdout.flush()
        leave(status)
    finalize()
    sys.exit(status)


if __name__ == "__main__":
    run()
