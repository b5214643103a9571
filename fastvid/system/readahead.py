"""Runs an iterator ahead of its consumer in a thread, by a bounded number of items."""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Buffer(Generic[T]):
    """What the two threads share. The thread holds this and never the ReadAhead itself, so that
    a ReadAhead that is forgotten can be collected and ends its thread."""

    def __init__(self, depth: int, wake: Callable[[], object]) -> None:
        self.depth = depth
        self.wake = wake
        self.items: deque[T] = deque()
        self.changed = threading.Condition()
        self.finished = False
        self.closed = False
        self.error: BaseException | None = None

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.items.clear()
            self.changed.notify_all()


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
        self._buffer: _Buffer[T] = _Buffer(depth, wake)
        self._thread = threading.Thread(
            target=_produce,
            args=(iter(iterable), self._buffer),
            name="fastvid-readahead",
            daemon=True,
        )
        self._finalizer = weakref.finalize(self, self._buffer.close)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        buffer = self._buffer
        with buffer.changed:
            buffer.changed.wait_for(lambda: buffer.items or buffer.finished or buffer.closed)
            if buffer.items:
                item = buffer.items.popleft()
                buffer.changed.notify_all()
                return item
            if buffer.error is not None:
                error, buffer.error = buffer.error, None
                raise error
            raise StopIteration

    def ready(self) -> bool:
        """True if the next item, the end or an error is there without waiting."""
        with self._buffer.changed:
            return bool(self._buffer.items) or self._buffer.finished or self._buffer.closed

    def close(self) -> None:
        """Ends the thread and waits for it. Harmless when called again."""
        self._finalizer()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> "ReadAhead[T]":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _produce(iterator: Iterator[T], buffer: _Buffer[T]) -> None:
    error: BaseException | None = None
    try:
        for item in iterator:
            with buffer.changed:
                buffer.changed.wait_for(lambda: buffer.closed or len(buffer.items) < buffer.depth)
                if buffer.closed:
                    break
                buffer.items.append(item)
                buffer.changed.notify_all()
            # Or the thread would keep one more frame alive while it waits for the next.
            del item
            buffer.wake()
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
    except BaseException as caught:  # handed to the consumer, whatever it is
        error = caught
    with buffer.changed:
        buffer.error = error
        buffer.finished = True
        buffer.changed.notify_all()
    buffer.wake()
