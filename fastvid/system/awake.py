"""Time as far as this process was awake: a job may be suspended, a virtual machine paused.

Whoever waits for another process looks again and again. When both are stopped and go on later, the
clock of the system has gone on meanwhile; the other one has not been silent, nobody could hear it.
"""

import time
from collections import deque
from collections.abc import Callable

# So many breaks are remembered: more than there are in any time that somebody waits.
_REMEMBERED = 64
_SHARES_OF_PATIENCE = 4
_LONGEST_LOOK_S = 1.0


class AwakeClock:
    """Counts seconds in which this process was awake; `look` is to be called again and again.

    longest_s: if more than that lies between two looks, no more than that counts. clock: seconds,
    from whenever.
    """

    def __init__(self, longest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_s = longest_s
        self._clock = clock
        self._looked = clock()
        # When each break was over, and how many seconds of it do not count.
        self._breaks: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def look(self) -> float:
        """Now, as `clock` has it."""
        now = self._clock()
        gap = now - self._looked
        if gap > self._longest_s:
            self._breaks.append((now, gap - self._longest_s))
        self._looked = now
        return now

    def since(self, moment: float) -> float:
        """The seconds from a moment, as `look` gives it, to the last look, breaks left out."""
        lost = sum(seconds for end, seconds in self._breaks if end > moment)
        return max(0.0, self._looked - moment - lost)


class Patience:
    """So many seconds of waiting, of which those do not count in which this process was suspended;
    `over` is to be asked again and again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._clock = AwakeClock(min(_LONGEST_LOOK_S, max(0.0, seconds) / _SHARES_OF_PATIENCE))
        self._began = self._clock.look()

    def over(self) -> bool:
        """Whether they have passed."""
        self._clock.look()
        return self._clock.since(self._began) >= self._seconds
