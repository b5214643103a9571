"""Leaving a block within some time, whatever hangs there: an error is told while a disk does not
answer."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType

from fastvid.system.threads import BackgroundThread

_OUR_THREADS = "fastvid-"


class LimitedEnd(ExitStack):
    """An ExitStack that waits only so long for what ends with it, if the block has raised.

    It then ends in a thread, in the usual order; where that hangs, the rest is left undone, for the
    process will end. None of what ends may swallow the error. leave_by: asked with the error; until
    when to wait, as `time.monotonic` counts.
    """

    def __init__(self, leave_by: Callable[[BaseException], float]) -> None:
        super().__init__()
        self._leave_by = leave_by

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave = partial(super().__exit__, kind, error, trace)
        if error is None:
            leave()
            return
        raised: list[BaseException] = []
        thread = BackgroundThread(f"{_OUR_THREADS}ending", leave, raised.append)
        thread.start()
        thread.join(max(0.0, self._leave_by(error) - time.monotonic()))
        if raised and raised[0] is not error:
            raise raised[0]


def still_busy() -> bool:
    """Whether a thread of ours has not come to its end: the interpreter can't end beside it."""
    return any(thread.name.startswith(_OUR_THREADS) for thread in threading.enumerate())
