"""Threads beside the main one: what they are given on its way to them, and what goes wrong in
them."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Ended(Exception):
    """A channel has no more items, and none will come."""


class Channel(Generic[T]):
    """Items on their way from one thread to another, in order. From any thread.

    limit: how many may wait; None: any number. Iterating takes items until the channel has ended.
    """

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit = limit
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._finished = False
        self._stopped = False
        self._error: BaseException | None = None

    # -- the giving side -------------------------------------------------------------------------

    def put(self, item: T) -> bool:
        """Adds an item; waits while the channel is full. False if it was stopped, and the item is
        dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._full())
            if not self._stopped:
                self._items.append(item)
                self._changed.notify_all()
            return not self._stopped

    def room(self) -> bool:
        """Whether another item would be taken at once; never again once it was stopped."""
        with self._changed:
            return not (self._stopped or self._full())

    def finish(self, error: BaseException | None = None) -> None:
        """Says that no item will follow; those that are there are still to be taken.

        error: raised once on the other side, after them.
        """
        with self._changed:
            self._finished = True
            self._error = error
            self._changed.notify_all()

    # -- the taking side -------------------------------------------------------------------------

    def get(self, timeout_s: float | None = None) -> T:
        """Takes the next item; waits for it. Raises queue.Empty if there is none after so many
        seconds, Ended if there will be none, and the error with which the other side finished."""
        with self._changed:
            if not self._changed.wait_for(self._settled, timeout_s):
                raise queue.Empty
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            raise Ended

    def ready(self) -> bool:
        """Whether `get` would not wait."""
        with self._changed:
            return self._settled()

    def __iter__(self) -> "Channel[T]":
        return self

    def __next__(self) -> T:
        try:
            return self.get()
        except Ended:
            raise StopIteration from None

    # -- both ------------------------------------------------------------------------------------

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        with self._changed:
            return self._stopped

    def stop(self) -> None:
        """Drops what waits, and whatever is put from now on: nobody waits here any more."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def _full(self) -> bool:
        return self._limit is not None and len(self._items) >= self._limit

    def _settled(self) -> bool:
        return bool(self._items) or self._finished or self._stopped


class BackgroundThread:
    """A thread that runs `body` once, and does not keep the process alive.

    failed: called in it with what `body` has raised, whatever it is.
    """

    def __init__(
        self, name: str, body: Callable[[], object], failed: Callable[[BaseException], None]
    ) -> None:
        self._body = body
        self._failed = failed
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts it."""
        self._thread.start()

    def join(self, patience_s: float | None = None) -> bool:
        """Waits for its end, for so long at most; whether it has ended. Returns at once in the
        thread itself, or if it was never started."""
        if self._thread.ident is None:
            return True
        if self._thread is not threading.current_thread():
            self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._body()
        except BaseException as error:  # a library may call exit: whoever waits must hear of it
            self._failed(error)
