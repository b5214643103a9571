"""Showing how far a job is, beside rank 0's main thread: a terminal or a log that takes nothing for
a while must not keep that from its heartbeats."""

import threading
from collections.abc import Callable

from fastvid.system.threads import BackgroundThread

_INTERVAL_S = 0.2
# How long the end waits for what is shown last.
_END_PATIENCE_S = 5.0


class Showing:
    """Calls `show` some times a second, in a thread, and once more at the end of the block.

    close: called after that.
    """

    def __init__(
        self,
        show: Callable[[], None],
        close: Callable[[], None],
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self._show = show
        self._close = close
        self._interval_s = interval_s
        self._over = threading.Event()
        self._errors: list[BaseException] = []
        self._thread = BackgroundThread("fastvid-show", self._run, self._errors.append)

    def check(self) -> None:
        """Raises what went wrong when something was shown, if anything did."""
        if self._errors:
            raise self._errors[0]

    def __enter__(self) -> "Showing":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(_END_PATIENCE_S)

    def _run(self) -> None:
        while not self._over.wait(self._interval_s):
            self._show()
        self._show()
        self._close()
