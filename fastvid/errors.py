"""The errors that fastvid raises on purpose, and the exit status that each ends the program
with."""

EXIT_FAILURE = 1
EXIT_BAD_INPUT = 2
# What a program killed by SIGINT ends with.
EXIT_INTERRUPTED = 130
# What a program killed by SIGPIPE ends with: nobody reads what it writes, as behind `| head`.
EXIT_UNREAD = 141
# EX_UNAVAILABLE of sysexits.h: a rank has fallen silent, its host may be lost.
EXIT_SILENT = 69
# EX_TEMPFAIL of sysexits.h: nothing is wrong, run the same command again.
EXIT_RUN_AGAIN = 75


class FastvidError(Exception):
    """Base of all errors that end a run with a message instead of a traceback.

    The message names the thing, the value, the limit and the way out, in one to three lines.
    """

    exit_status = EXIT_FAILURE


class InputError(FastvidError):
    """Something that the user gave can't be used: a file, an option, a size."""

    exit_status = EXIT_BAD_INPUT


class OrderNeeded(InputError):
    """Frames can't be read exactly by themselves; decoding the film in order may do."""


class StorageError(FastvidError):
    """The run file or the output can't be written any further: disk full, quota, file system
    gone."""


class RemoteError(FastvidError):
    """Another rank failed; the message names the rank, its host and what it was doing."""

    def __init__(self, message: str, exit_status: int = EXIT_FAILURE) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class ReadingRefused(RemoteError):
    """A rank can't read its frames by itself; rank 0 may be able to decode them in order."""


class Stopped(FastvidError):
    """The run was asked to stop early and did, in good order; the same command goes on with it.

    leave_by: when all ranks have to have left, as `time.monotonic` counts; None if nothing says so.
    """

    exit_status = EXIT_RUN_AGAIN
    leave_by: float | None = None
