"""What random kills have done to runs: counted, with the story of what must not happen."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.killing import MOMENTS, STOP, WAYS
from harness.result import Bar, Figure

COUNTS = ("frames lost", "files that do not open", "wrong bytes", "hangs")


@dataclass
class Tally:
    """What has been counted, by way of killing. May be added to from any thread.

    most: so many kills, and none after `until` (time.monotonic). over: set when nothing more is to
    be begun.
    """

    most: int
    until: float

    kills: Counter[str] = field(default_factory=Counter)
    found: dict[str, Counter[str]] = field(default_factory=lambda: {way: Counter() for way in WAYS})
    moments: Counter[str] = field(default_factory=Counter)
    slowest_end_s: float = 0.0
    slowest: str = ""
    runs: int = 0
    stories: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enough(self) -> bool:
        """Whether no more kills are to be begun."""
        if self.all_kills >= self.most or time.monotonic() > self.until:
            self.over.set()
        return self.over.is_set()

    @property
    def all_kills(self) -> int:
        """How many there were."""
        return sum(self.kills.values())

    def count_kill(self, way: str, moment: str | None, seconds: float) -> None:
        """Counts a kill. moment: None where it is the program's own choice. seconds: until the
        program was gone, or came to its end."""
        with self.lock:
            self.kills[way] += 1
            if moment is None:
                return
            self.moments[moment] += 1
            if way != STOP and seconds > self.slowest_end_s:
                self.slowest_end_s, self.slowest = seconds, f"{way} while {moment}"

    def count_video(self) -> None:
        """Counts a video whose kills are over."""
        with self.lock:
            self.runs += 1

    def blame(self, way: str, what: str, story: str, count: int = 1) -> None:
        """Counts something that must not happen."""
        with self.lock:
            self.found[way][what] += count
            self.stories.append(f"{what} ({count}) after: {story}")
        sys.stderr.write(f"{self.stories[-1]}\n")

    def total(self, what: str) -> int:
        """How often it happened, however it was killed."""
        return sum(counter[what] for counter in self.found.values())

    def table(self) -> str:
        """The counts as lines of text."""
        lines = ["| how | kills | " + " | ".join(COUNTS) + " |", "| --- " * 6 + "|"]
        for way in WAYS:
            cells = [self.kills[way], *(self.found[way][what] for what in COUNTS)]
            lines.append(f"| {way} | " + " | ".join(map(str, cells)) + " |")
        cells = [self.all_kills, *map(self.total, COUNTS)]
        lines.append("| all | " + " | ".join(map(str, cells)) + " |")
        moments = ", ".join(f"{self.moments[name]} {name}" for name in MOMENTS)
        return "\n".join(
            [
                *lines,
                "",
                f"{self.runs} videos; kills while {moments}; the slowest "
                f"program was gone {self.slowest_end_s:.1f} s after its kill "
                f"({self.slowest}).",
            ]
        )

    def figures(self) -> Iterator[Figure]:
        """The counts by way of killing, kills by moment, seconds to the slowest end."""
        for way in WAYS:
            yield Figure("kills", self.kills[way], "count", {"how": way})
            for what in COUNTS:
                count = self.found[way][what]
                yield Figure(what, count, "count", {"how": way}, bar=Bar(at_most=0))
        for moment in MOMENTS:
            yield Figure("kills", self.moments[moment], "count", {"moment": moment})
        yield Figure("videos", self.runs, "count")
        yield Figure("slowest end", self.slowest_end_s, "s", {"after": self.slowest})
