"""Runs an iterator ahead of its consumer in a thread, by a bounded number of items."""

import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Generic, TypeVar

from fastvid.system.threads import BackgroundThread, Channel

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """Iterates over `iterable` in a thread, at most `depth` items ahead of the consumer.

    An exception of the iterable is raised in the consumer, after the items that came before it.
    `close()` (or leaving the `with` block) ends the thread after the item it is working on, at any
    time, from the consumer; the iterable's own `close` then runs in the thread that used it.
    wake: called in the thread whenever `ready` may have become true.
    """

    def __init__(
        self, iterable: Iterable[T], depth: int = 8, wake: Callable[[], object] = lambda: None
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        # The thread holds this and never the ReadAhead itself, so that one that is forgotten can be
        # collected and ends its thread.
        self._items: Channel[T] = Channel(depth)
        self._thread = BackgroundThread(
            "fastvid-readahead",
            partial(_produce, iter(iterable), self._items, wake),
            partial(_finish, self._items, wake),
        )
        self._finalizer = weakref.finalize(self, self._items.stop)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def ready(self) -> bool:
        """True if the next item, the end or an error is there without waiting."""
        return self._items.ready()

    def close(self) -> None:
        """Ends the thread and waits for it. Harmless when called again."""
        self._finalizer()
        self._thread.join()

    def __enter__(self) -> "ReadAhead[T]":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _produce(iterator: Iterator[T], items: Channel[T], wake: Callable[[], object]) -> None:
    for item in iterator:
        if not items.put(item):
            break
        # Or the thread would keep one more frame alive while it waits for the next.
        del item
        wake()
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
    _finish(items, wake)


def _finish(
    items: Channel[T], wake: Callable[[], object], error: BaseException | None = None
) -> None:
    items.finish(error)
    wake()
