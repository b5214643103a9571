"""How long a thread has been at work: by the clock, and on the processor."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


class Stopwatch:
    """Adds up the time between entering and leaving, in one thread; a context manager.

    seconds: by the clock, the waiting for a core or a disk included. cpu_seconds: what the thread
    itself has used of a core; threads that a library keeps besides do not count.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self._began = (0.0, 0.0)

    def __enter__(self) -> "Stopwatch":
        self._began = (time.perf_counter(), time.thread_time())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds += time.perf_counter() - self._began[0]
        self.cpu_seconds += time.thread_time() - self._began[1]


def timed(items: Iterable[T], stopwatch: Stopwatch) -> Iterator[T]:
    """Passes items on; what it takes to make them is added to `stopwatch`."""
    iterator = iter(items)
    while True:
        with stopwatch:
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item
