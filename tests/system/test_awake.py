"""Time as far as the process was awake."""

import pytest

from fastvid.system.awake import AwakeClock, Patience


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("gaps", "awake_s"),
    [
        ([], 0.0),
        ([1.0, 2.0, 0.5], 3.5),
        ([3600.0], 2.0),  # of a break no more counts than lies between two looks at most
        ([1.0, 3600.0, 1.0, 7.0, 0.25], 6.25),
    ],
)
def test_breaks_do_not_count(gaps: list[float], awake_s: float) -> None:
    hands = Hands()
    clock = AwakeClock(2.0, hands)
    began = clock.look()
    for gap in gaps:
        hands.now += gap
        assert clock.look() == hands.now
    assert clock.since(began) == pytest.approx(awake_s)


def test_a_break_before_does_not_shorten_what_came_after() -> None:
    hands = Hands()
    clock = AwakeClock(2.0, hands)
    hands.now += 500.0
    after = clock.look()
    hands.now += 1.5
    clock.look()
    assert clock.since(after) == 1.5
    hands.now += 1.0
    assert clock.since(after) == 1.5  # nobody has looked since


def test_patience_ends() -> None:
    patience = Patience(0.05)
    while not patience.over():
        pass
    assert Patience(0.0).over() and Patience(-3.0).over() and not Patience(60.0).over()
