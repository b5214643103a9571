"""A block whose end may hang."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fastvid.system.ending import LimitedEnd, still_busy

PATIENCE_S = 60.0


def long_after(error: BaseException) -> float:
    return time.monotonic() + PATIENCE_S


@contextmanager
def noting(log: list[str], name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        log.append(f"{name} after {error}")
        raise
    else:
        log.append(name)


@pytest.mark.parametrize("fails", [False, True])
def test_all_ends_in_the_usual_order(fails: bool) -> None:
    log: list[str] = []
    try:
        with LimitedEnd(long_after) as stack:
            stack.enter_context(noting(log, "first"))
            stack.enter_context(noting(log, "second"))
            stack.callback(log.append, "third")
            if fails:
                raise ValueError("rain")
    except ValueError as error:
        assert fails and str(error) == "rain"
    behind = " after rain" if fails else ""
    assert log == ["third", f"second{behind}", f"first{behind}"]


def test_an_error_is_told_while_the_end_hangs() -> None:
    """What comes behind what hangs is left alone: it may still be in use."""
    log: list[str] = []
    hanging = threading.Event()
    with pytest.raises(ValueError, match="rain"), LimitedEnd(lambda _: time.monotonic()) as stack:
        stack.callback(log.append, "behind")
        stack.callback(hanging.wait)
        raise ValueError("rain")
    assert log == [] and still_busy()
    hanging.set()
    deadline = time.monotonic() + PATIENCE_S
    while still_busy():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert log == ["behind"]


def test_what_goes_wrong_at_the_end_counts() -> None:
    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), LimitedEnd(long_after) as stack:
        stack.callback(fail)
        raise ValueError("rain")
