"""How long a rank sleeps between two looks at its messages."""

from typing import Protocol

# Where nobody rings: the first sleep, and the longest one of rank 0 and of the others; the longest
# one while arrays are on their way, which need both ranks to look. To wake up and look costs about
# 100 microseconds: a rank with nothing to do uses 0.5 % of a core (at 5 ms it was 2 %, and 64 ranks
# on one host took a whole core).
FIRST_SLEEP_S = 0.0002
TRANSFER_SLEEP_S = 0.001
LEADER_SLEEP_S = 0.005
LONGEST_SLEEP_S = 0.02
# Where everybody rings: heartbeats and time limits want a look now and then, and a ring that is
# lost for whatever reason costs no more than this.
RUNG_SLEEP_S = 0.2


class Sleeper(Protocol):
    """What a rank sleeps on (see `fastvid.parallel.mpi.bell.Bell`)."""

    def wait(self, timeout_s: float) -> bool:
        """Sleeps until it is rung or set, at most `timeout_s`; whether it was that."""


class Waiting:
    """The sleeps of one rank.

    rung_by_all: whether every rank that may send something rings; else it is looked for in sleeps
    that begin short and double. rung_sleep_s: the longest one where all ring.
    """

    def __init__(
        self, bell: Sleeper, rung_by_all: bool, rung_sleep_s: float = RUNG_SLEEP_S
    ) -> None:
        self._bell = bell
        self._rung_by_all = rung_by_all
        self._rung_sleep_s = rung_sleep_s
        self._sleep_s = FIRST_SLEEP_S
        self._rung_early = False

    def note_activity(self) -> None:
        """Something was sent or has arrived."""
        self._sleep_s = FIRST_SLEEP_S
        self._rung_early = False

    def note_ring_for_nothing(self) -> None:
        """Somebody rang and there was no message: it may still be on its way through the system."""
        self._sleep_s = FIRST_SLEEP_S
        self._rung_early = True

    def sleep(self, moving: bool, longest_s: float) -> None:
        """Sleeps until the bell rings or is set, or it is time to look.

        moving: whether arrays are on their way, in or out. longest_s: the longest sleep where not
        everybody rings.
        """
        limit = self._rung_sleep_s if self._rung_by_all else longest_s
        if moving:
            seconds = min(self._sleep_s, TRANSFER_SLEEP_S, limit)
        elif self._rung_by_all and not self._rung_early:
            seconds = limit
        else:
            seconds = min(self._sleep_s, limit)
        if self._bell.wait(seconds):
            self._sleep_s = FIRST_SLEEP_S
        else:
            self._sleep_s = min(2 * self._sleep_s, limit)
            self._rung_early = self._rung_early and self._sleep_s < limit
