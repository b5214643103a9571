"""Numbers for decoded frames and substitutes for lost ones, from made-up decoder events."""

from fractions import Fraction

import av
import numpy as np
import pytest

from fastvid.decode.failure import Failure
from fastvid.decode.recovery import Recovery
from fastvid.decode.scan import Scan
from fastvid.decode.timeline import Timeline
from fastvid.errors import InputError

TIMES = np.arange(6, dtype=np.int64) * 10


def picture(pts: int | None, name: int) -> av.VideoFrame:
    """A frame that is known by its width."""
    frame = av.VideoFrame(name * 2 + 2, 2, "rgb24")
    frame.pts = pts
    return frame


def place(
    events: list[av.VideoFrame | Failure],
    exact: bool,
    keep_going: bool = True,
    part: tuple[int, int | None] = (0, None),
) -> tuple[list[tuple[int, int]], list[str]]:
    """(number, name of the picture shown) for each frame, and the damage."""
    scan = Scan(0, Fraction(1, 100), Fraction(10), Timeline(TIMES, 10, exact, 6), 6, "")
    damage: list[str] = []
    recovery = Recovery("film", scan, part, keep_going, damage)
    return [
        (placed.index, placed.picture.width // 2 - 1) for placed in recovery.place(events)
    ], damage


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("lost", [{0}, {0, 1}, {2}, {3, 4}, {5}, {0, 3, 5}])
def test_lost_frames_are_bridged_in_place(exact: bool, lost: set[int]) -> None:
    """Oracle: the last good picture, before the first good one that one itself."""
    events: list[av.VideoFrame | Failure] = [
        Failure("noise") if i in lost else picture(10 * i if exact else None, i) for i in range(6)
    ]
    shown, damage = place(events, exact)
    good = [i for i in range(6) if i not in lost]
    expected = [max((g for g in good if g <= i), default=good[0]) for i in range(6)]
    assert shown == list(enumerate(expected))
    assert damage and all("noise" in message for message in damage)


def test_nothing_is_an_error_outside_the_part() -> None:
    events: list[av.VideoFrame | Failure] = [
        picture(0, 0),
        Failure("noise"),
        picture(20, 2),
        picture(30, 3),
        Failure("noise"),
        picture(50, 5),
    ]
    shown, damage = place(events, True, keep_going=False, part=(2, 4))
    assert shown == [(0, 0), (1, 0), (2, 2), (3, 3), (4, 3), (5, 5)] and damage == []
    with pytest.raises(InputError, match=r"(?s)frame 4 .*--frames 2:4 takes"):
        place(events, True, keep_going=False, part=(2, 5))
    with pytest.raises(InputError, match=r"(?s)frame 1 .*--frames 2: starts after it"):
        place(events, True, keep_going=False, part=(1, 4))


def test_a_silent_gap_is_filled_without_stopping() -> None:
    """Some packets stand for "the same picture again"."""
    shown, damage = place([picture(10 * i, i) for i in (0, 1, 3, 4, 5)], True, keep_going=False)
    assert shown == [(0, 0), (1, 1), (2, 1), (3, 3), (4, 4), (5, 5)]
    assert damage == ["frame 2 (from 0.20 s) gave no picture; the last good picture is repeated"]


def test_a_failure_without_a_loss_is_none() -> None:
    events: list[av.VideoFrame | Failure] = [picture(10 * i, i) for i in range(6)]
    events.insert(3, Failure("odd header"))
    assert place(events, True, keep_going=False) == ([(i, i) for i in range(6)], [])


def test_pictures_that_come_twice_or_too_early_are_dropped() -> None:
    events: list[av.VideoFrame | Failure] = [
        picture(-10, 9),
        picture(0, 0),
        picture(10, 1),
        picture(10, 9),
    ]
    events += [picture(10 * i, i) for i in range(2, 6)]
    assert place(events, True) == ([(i, i) for i in range(6)], [])


def test_scan_is_what_decides_the_end() -> None:
    scan = Scan(0, Fraction(1, 100), Fraction(10), Timeline(TIMES, 10, True, 3), 3, "cut")
    damage: list[str] = []
    recovery = Recovery("film", scan, (0, None), True, damage)
    shown = [p.index for p in recovery.place([picture(0, 0), picture(10, 1), picture(20, 2)])]
    assert shown == list(range(6)) and "cut short" in damage[-1]
