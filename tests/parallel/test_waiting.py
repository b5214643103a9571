"""How long a rank sleeps: until it is rung where all ring, in doubling sleeps where not."""

from fastvid.parallel.mpi.waiting import (
    FIRST_SLEEP_S,
    LONGEST_SLEEP_S,
    RUNG_SLEEP_S,
    TRANSFER_SLEEP_S,
    Waiting,
)


class SleeplessBell:
    """Notes the sleeps that are wanted. rings: whether each is ended by somebody."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self.rings = False

    def wait(self, timeout_s: float) -> bool:
        self.sleeps.append(timeout_s)
        return self.rings


def sleeps(waiting: Waiting, bell: SleeplessBell, count: int, moving: bool = False) -> list[float]:
    bell.sleeps.clear()
    for _ in range(count):
        waiting.sleep(moving, LONGEST_SLEEP_S)
    return list(bell.sleeps)


def made(rung_by_all: bool) -> tuple[Waiting, SleeplessBell]:
    bell = SleeplessBell()
    return Waiting(bell, rung_by_all), bell


def test_where_all_ring_nobody_looks_in_between() -> None:
    waiting, bell = made(rung_by_all=True)
    waiting.note_activity()
    assert sleeps(waiting, bell, 3) == [RUNG_SLEEP_S] * 3


def test_a_ring_without_a_message_is_looked_into() -> None:
    """Over TCP a message may come a little later than the ring; then sleeping goes on."""
    waiting, bell = made(rung_by_all=True)
    waiting.note_ring_for_nothing()
    found = sleeps(waiting, bell, 14)
    assert found[:3] == [FIRST_SLEEP_S, 2 * FIRST_SLEEP_S, 4 * FIRST_SLEEP_S]
    assert found[-3:] == [RUNG_SLEEP_S] * 3
    waiting.note_ring_for_nothing()
    waiting.note_activity()
    assert sleeps(waiting, bell, 2) == [RUNG_SLEEP_S] * 2


def test_arrays_on_their_way_want_both_ends_awake() -> None:
    for rung_by_all in (True, False):
        waiting, bell = made(rung_by_all)
        waiting.note_activity()
        found = sleeps(waiting, bell, 6, moving=True)
        assert found[0] == FIRST_SLEEP_S and found[-1] == TRANSFER_SLEEP_S
        assert found == sorted(found)


def test_where_one_does_not_ring_sleeps_double() -> None:
    waiting, bell = made(rung_by_all=False)
    found = sleeps(waiting, bell, 10)
    assert found[:3] == [FIRST_SLEEP_S, 2 * FIRST_SLEEP_S, 4 * FIRST_SLEEP_S]
    assert found[-2:] == [LONGEST_SLEEP_S] * 2
    bell.rings = True  # by one that does, or by an own thread: more may follow
    sleeps(waiting, bell, 1)
    bell.rings = False
    assert sleeps(waiting, bell, 1) == [FIRST_SLEEP_S]
