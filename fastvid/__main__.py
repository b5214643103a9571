"""Guards, parses, calls. Whatever goes wrong on whatever rank ends all ranks, with one message."""

import os
import sys
import time
import traceback
from collections.abc import Sequence

from fastvid.commands.serve import serve
from fastvid.errors import EXIT_BAD_INPUT, EXIT_FAILURE, FastvidError, Stopped
from fastvid.parallel.engine.engine import still_computing
from fastvid.parallel.mpi.communicator import (
    FAILED_PATIENCE_S,
    GOOD_PATIENCE_S,
    REFUSED_PATIENCE_S,
    Communicator,
    connect,
    finalize,
    leave,
)
from fastvid.parallel.mpi.launch import LaunchError, launched_rank
from fastvid.parallel.mpi.stopping import ignore_warning_signals, signals_stop
from fastvid.system.allocator import keep_freed_memory
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
                return serve(comm)
            return _lead(comm, sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return _give_up(comm, "interrupted", 130)
    except BaseException:  # an error of ours: the others must not wait for this rank
        where = f"rank {comm.rank} on {comm.peers[comm.rank].host}: " if comm.size > 1 else ""
        return _give_up(comm, where + traceback.format_exc().strip(), EXIT_FAILURE)


def _lead(comm: Communicator, arguments: Sequence[str]) -> int:
    """Rank 0: runs the command line and sends the others home with its exit status."""
    from fastvid.commands.cli import run_command_line

    leave_by = None
    try:
        status = run_command_line(list(arguments), comm)
    except Stopped as stop:
        _write(f"fastvid: {stop}")
        status, leave_by = stop.exit_status, stop.leave_by
    except FastvidError as error:
        _complain(str(error))
        status = error.exit_status
    except SystemExit as request:  # argparse: --help or a usage error, already written
        status = request.code if isinstance(request.code, int) else EXIT_FAILURE
    patience_s = {0: GOOD_PATIENCE_S, EXIT_BAD_INPUT: REFUSED_PATIENCE_S}.get(
        status, FAILED_PATIENCE_S
    )
    if leave_by is not None:
        # A rank that still loads libraries will leave once it has; ended before, it would turn the
        # status into that of a killed program.
        patience_s = leave_by - time.monotonic()
    if not comm.send_home(status, patience_s):
        comm.abort(status)
    return status


def _give_up(comm: Communicator, message: str, status: int) -> int:
    _complain(message)
    if comm.size > 1:
        comm.abort(status)
    return status


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
    if still_computing():
        # The interpreter can't end beside a thread that is deep in a library: it would crash.
        sys.stdout.flush()
        leave(status)
    finalize()
    sys.exit(status)


if __name__ == "__main__":
    run()
