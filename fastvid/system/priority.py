"""How much of a core a thread gets: keeps those of a library from taking the machine."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NICE_MAX = 19
_THREADS = Path("/proc/self/task")
_REALTIME = (os.SCHED_FIFO, os.SCHED_RR) if hasattr(os, "SCHED_FIFO") else ()


def be_nice(by: int) -> None:
    """Lowers the priority of this thread, and of those that a library starts from it, where a
    thread has a priority of its own (Linux)."""
    if not by:
        return
    try:
        thread = threading.get_native_id()
        nice = min(_NICE_MAX, os.getpriority(os.PRIO_PROCESS, thread) + by)
        os.setpriority(os.PRIO_PROCESS, thread, nice)
    except OSError:
        pass  # a system where only processes have one: all threads get the same share


@contextmanager
def without_realtime_threads() -> Iterator[None]:
    """Takes back the real-time priority that threads of this process were given within the block,
    unless the whole program had it before.

    SVT-AV1 gives the caller and some forty threads the highest one (SCHED_FIFO, 99) wherever it
    may, which is where root runs it, as in a container; threads and processes that begin later
    inherit it. While they wait for each other on a busy machine, hardly anybody else comes to run:
    an encoder of 9 frames was seen to hold two cores for twenty minutes, deaf to signals.
    """
    if not (_THREADS.is_dir() and hasattr(os, "sched_setscheduler")):
        yield  # no Linux: nothing can be seen or done
        return
    asked_for = os.sched_getscheduler(0) in _REALTIME  # by the user, for the whole program
    yield
    if not asked_for:
        _end_realtime()


def _end_realtime() -> None:
    for thread in map(int, os.listdir(_THREADS)):
        try:
            if os.sched_getscheduler(thread) in _REALTIME:
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        except ProcessLookupError:
            continue  # it has ended meanwhile
