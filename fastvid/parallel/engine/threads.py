"""A thread that computes step after step; what goes wrong in it comes out as a message."""

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastvid.errors import EXIT_FAILURE, FastvidError, OrderNeeded
from fastvid.system.priority import be_nice

T = TypeVar("T")

THREAD_NAME = "fastvid-engine"
WAITING = "waiting"
# Added to the nice value of the thread of the heavy stages: others get nine times as much of a core
# that both want (Linux: a factor of 1.25 a step).
HEAVY_NICE = 10
# What a rank has not painted yet of its segments, the others wait for, but nobody for its part of
# the video before the end: painting gets three times as much as encoding.
ENCODING_NICE = HEAVY_NICE + 5
# A temporal pass that is a whole network takes three times as much as the heavy stages ahead of it,
# and a third of what the threads get that talk, decode, store and encode: all ranks wait for those.
RECURRENT_NICE = 5


@dataclass(frozen=True)
class Step:
    """Something that the engine's thread can do next. doing: what to tell of it meanwhile."""

    doing: str
    run: Callable[[], None]


@dataclass(frozen=True)
class Failed:
    """A step raised: the message for the user, and the exit status that goes with it.

    order_needed: it was OrderNeeded.
    """

    message: str
    exit_status: int
    order_needed: bool = False


class StepThread(threading.Thread):
    """Takes step after step from `next_step`, until that has none left to give."""

    def __init__(
        self,
        next_step: Callable[["StepThread"], Step | None],
        fail: Callable[[Failed], None],
        nice: int = 0,
    ) -> None:
        super().__init__(name=THREAD_NAME, daemon=True)
        self.doing = WAITING
        self._step_began = time.monotonic()
        self._next_step = next_step
        self._fail = fail
        self._nice = nice

    def step_seconds(self) -> float:
        """How long the step at hand has been going on, 0 between steps."""
        return 0.0 if self.doing == WAITING else time.monotonic() - self._step_began

    def go_on(self) -> None:
        """The step at hand has come further: it counts as begun just now."""
        self._step_began = time.monotonic()

    def wait(self, changed: threading.Condition) -> None:
        """Waits for `changed`, which this thread holds; for `next_step`."""
        self.doing = WAITING
        changed.wait()

    def run(self) -> None:
        """Steps until stopped; the first exception ends the thread and comes out as `Failed`."""
        try:
            be_nice(self._nice)
            while (step := self._next_step(self)) is not None:
                self._step_began = time.monotonic()
                self.doing = step.doing
                step.run()
                # Or the thread would keep a whole segment alive while it waits for the next.
                del step
        except MemoryError:
            self._fail(
                Failed(
                    f"{self.doing}: out of memory. Fewer ranks a node, shorter "
                    "--segment-length or a smaller --size need less.",
                    EXIT_FAILURE,
                )
            )
        except FastvidError as error:
            self._fail(
                Failed(f"{self.doing}: {error}", error.exit_status, isinstance(error, OrderNeeded))
            )
        except BaseException as error:  # whatever it is (a library may call exit), the job must end
            self._fail(
                Failed(
                    f"{self.doing}: {type(error).__name__}: {error}\n"
                    f"{traceback.format_exc().strip()}",
                    EXIT_FAILURE,
                )
            )
        finally:
            # A thread that has failed is not stuck in its step.
            self.doing = WAITING


class SideThread(Generic[T]):
    """Something that a rank does beside its stages: items in the order in which they come, in a
    thread of its own.

    step: makes the step for an item. fail: takes what went wrong; the thread has ended then. close:
    called in the thread when it is stopped.
    """

    def __init__(
        self,
        step: Callable[[T], Step],
        fail: Callable[[Failed], None],
        nice: int = 0,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._step = step
        self._close = close
        self._items: deque[T] = deque()
        self._condition = threading.Condition()
        self._stopping = False
        self._thread = StepThread(self._next_step, fail, nice)
        self._thread.start()

    @property
    def doing(self) -> str:
        """What it is at, in words."""
        return self._thread.doing

    def step_seconds(self) -> float:
        """How long the item at hand has taken so far, 0 if there is none."""
        return self._thread.step_seconds()

    def go_on(self) -> None:
        """The item at hand has come further: it counts as begun just now."""
        self._thread.go_on()

    def put(self, *items: T) -> None:
        """Adds items."""
        with self._condition:
            self._items.extend(items)
            self._condition.notify_all()

    def stop(self, patience_s: float) -> None:
        """Ends the thread after the item at hand, and waits for that, but not for ever."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._thread.join(patience_s)

    def _next_step(self, thread: StepThread) -> Step | None:
        with self._condition:
            while not self._items and not self._stopping:
                thread.wait(self._condition)
            if not self._stopping:
                return self._step(self._items.popleft())
        self._close()
        return None
