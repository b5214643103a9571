"""Decoding ahead: bounded, in order, errors arrive, and closing early never hangs."""

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from fastvid.system.readahead import ReadAhead


def wait_until(condition: object) -> None:
    """Waits up to ten seconds; a test that needs longer is broken."""
    assert callable(condition)
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("the condition never came true")


class Counter:
    """Yields 0, 1, ... and remembers how many were taken and whether it was closed."""

    def __init__(self, stop: int) -> None:
        self.stop, self.made, self.closed = stop, 0, False

    def __iter__(self) -> Iterator[int]:
        try:
            while self.made < self.stop:
                self.made += 1
                yield self.made - 1
        finally:
            self.closed = True


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "fastvid-readahead"]


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_everything_arrives_in_order(depth: int) -> None:
    with ReadAhead(Counter(50), depth) as ahead:
        assert list(ahead) == list(range(50))
        assert list(ahead) == []
    assert not threads()


def test_it_never_runs_further_ahead_than_its_depth() -> None:
    counter = Counter(1000)
    with ReadAhead(counter, 4) as ahead:
        wait_until(lambda: counter.made == 5)
        time.sleep(0.05)
        # Four wait in the buffer, the fifth in the thread's hand.
        assert counter.made == 5
        next(ahead)
        wait_until(lambda: counter.made == 6)
    assert counter.closed


def test_an_error_arrives_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("no third")

    seen: list[int] = []
    with pytest.raises(ValueError, match="no third"), ReadAhead(failing(), 8) as ahead:
        seen.extend(ahead)
    assert seen == [1, 2] and not threads()


def test_closing_early_ends_the_thread_and_the_iterator() -> None:
    counter = Counter(10**9)
    ahead = ReadAhead(counter, 2)
    assert next(ahead) == 0
    ahead.close()
    ahead.close()
    assert not threads() and counter.closed
    with pytest.raises(StopIteration):
        next(ahead)


def test_a_forgotten_one_ends_its_thread() -> None:
    counter = Counter(10**9)
    ahead = ReadAhead(counter, 2)
    assert next(ahead) == 0
    del ahead
    gc.collect()
    wait_until(lambda: not threads())
    assert counter.closed


def test_ready_tells_whether_next_would_wait() -> None:
    gate = threading.Event()

    def gated() -> Iterator[int]:
        gate.wait(10)
        yield 1

    with ReadAhead(gated(), 2) as ahead:
        assert not ahead.ready()
        gate.set()
        wait_until(ahead.ready)
        assert next(ahead) == 1


def test_depth_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ReadAhead([1], 0)
