"""How long a thread has been at work."""

import time
from collections.abc import Iterator

import pytest

from fastvid.system.stopwatch import Stopwatch, timed

NAP_S = 0.02


def test_only_the_time_within_counts() -> None:
    watch = Stopwatch()
    for _ in range(2):
        with watch:
            time.sleep(NAP_S)
        time.sleep(NAP_S)
    assert watch.seconds >= 2 * NAP_S
    assert watch.cpu_seconds < watch.seconds  # it slept


def test_items_are_passed_on_and_their_making_is_timed() -> None:
    def slow() -> Iterator[int]:
        for item in range(3):
            time.sleep(NAP_S)
            yield item

    watch = Stopwatch()
    made = list(timed(slow(), watch))
    assert made == [0, 1, 2] and watch.seconds >= 3 * NAP_S


def test_none_is_an_item_like_others() -> None:
    assert list(timed([None, 1], Stopwatch())) == [None, 1]


def test_an_error_comes_through() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("no second")

    items = timed(failing(), Stopwatch())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no second"):
        next(items)
