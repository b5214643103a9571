"""Keeps the threads of an encoder from taking the machine."""

import os
from pathlib import Path

import av

_THREADS = Path("/proc/self/task")
_REALTIME = (os.SCHED_FIFO, os.SCHED_RR) if hasattr(os, "SCHED_FIFO") else ()


def open_codec(context: av.VideoCodecContext) -> None:
    """Opens an encoder whose threads have the priority of the caller. Raises av.FFmpegError.

    SVT-AV1 gives the caller and some forty threads the highest real-time priority (SCHED_FIFO, 99)
    wherever it may, which is where root runs it, as in a container; threads and processes that
    begin later inherit it. While they wait for each other on a busy machine, hardly anybody else
    comes to run: an encoder of 9 frames was seen to hold two cores for twenty minutes, deaf to
    signals.
    """
    if not (_THREADS.is_dir() and hasattr(os, "sched_setscheduler")):
        context.open(strict=False)
        return  # no Linux: nothing can be seen or done
    asked_for = os.sched_getscheduler(0) in _REALTIME  # by the user, for the whole program
    context.open(strict=False)
    if asked_for:
        return
    for thread in map(int, os.listdir(_THREADS)):
        try:
            if os.sched_getscheduler(thread) in _REALTIME:
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        except ProcessLookupError:
            continue  # it has ended meanwhile
