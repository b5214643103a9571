"""Ending a run early and in good order: signals on any rank, and a time limit."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from fastvid.errors import Stopped
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.transport import ABORT_PATIENCE_S

# Batch systems warn with one of these, often more than once; mpirun forwards both to every rank.
WARNING_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# Share of the grace period in which segments that are at work may still be finished; the rest is
# for storing them and leaving.
_FINISHING_SHARE = 0.5
# What is left of the grace period at the end for ending ranks that do not leave by themselves.
_ENDING_S = 2 * ABORT_PATIENCE_S


class Stoppable(Protocol):
    """Somebody with whom a signal leaves a note."""

    def ask_to_stop(self, reason: str) -> None:
        """Takes the note; called from a signal handler."""

    def forget_stop(self) -> None:
        """Takes the note away."""


@contextmanager
def signals_stop(comm: Stoppable) -> Iterator[None]:
    """Within the block, a warning signal asks the job to stop instead of killing this rank.

    The handler only leaves a note, which `Communicator.poll` passes on to rank 0, so that a signal
    may come at any moment and any number of times. The note, a time limit's too, goes with the
    block: it does not stop what the process runs later.
    """
    if threading.current_thread() is not threading.main_thread():
        try:
            yield  # only the main thread may handle signals: the caller's program has its own way
        finally:
            comm.forget_stop()
        return

    def note(number: int, frame: FrameType | None) -> None:
        comm.ask_to_stop(signal.Signals(number).name)

    previous = {number: signal.signal(number, note) for number in WARNING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        comm.forget_stop()


@contextmanager
def signals_kill() -> Iterator[None]:
    """Within the block, a warning signal ends this process at once, as it would any program.

    For commands with nothing to save. Left alone they would not even hear SIGUSR1: mpich takes it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, signal.SIG_DFL) for number in WARNING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def ignore_warning_signals() -> None:
    """For a process on its way out: a repeated warning must not change its exit status."""
    for number in WARNING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Deadline:
    """When a run has to stop, and when it has to be gone.

    time_limit_s: seconds that the run may take, None without a limit. grace_s: seconds that it may
    take to leave once it was asked to.
    """

    def __init__(
        self, comm: Communicator, began: float, time_limit_s: float | None, grace_s: float
    ) -> None:
        self._comm = comm
        self._limit = None if time_limit_s is None else began + time_limit_s - grace_s
        self._time_limit_s = time_limit_s
        self._grace_s = grace_s

    def reason(self) -> str | None:
        """Why the run has to stop now; None as long as it may go on."""
        if self._limit is not None and time.monotonic() >= self._limit:
            self._comm.ask_to_stop(f"the time limit of {self._time_limit_s:g} s")
        return self._comm.stop_reason

    def check(self) -> None:
        """Raises Stopped if the run has to stop now, before anything is at work."""
        reason = self.reason()
        if reason is not None:
            raise Stopped(f"stopped by {reason}")

    def passed(self) -> bool:
        """Whether the time to finish what is at work is over."""
        asked = self._comm.stop_asked_at
        return asked is not None and time.monotonic() >= asked + _FINISHING_SHARE * self._grace_s

    def leave_by(self) -> float | None:
        """Until when ranks may take their time to leave, as `time.monotonic` counts: to the end of
        the grace period, or a moment from now. None as long as nobody has asked the run to stop."""
        asked = self._comm.stop_asked_at
        if asked is None:
            return None
        return max(asked + self._grace_s - _ENDING_S, time.monotonic() + _ENDING_S)
