"""Who gets which segment: dealing in order, to whoever is free, and who hands over to whom.

Pure bookkeeping of rank 0, without MPI and without frames, so that it can be tested and simulated.
Small segments dealt in order make a wavefront: the heavy work of the next segments runs on all
ranks while the in-order temporal pass sweeps along behind.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

NOBODY = -1


@dataclass(frozen=True)
class Deal:
    """Segment `segment` goes to `rank`."""

    segment: int
    rank: int


@dataclass(frozen=True)
class HandOver:
    """The rank that owns `segment` sends its last finished frame to `successor`, or drops it where
    that is NOBODY."""

    segment: int
    owner: int
    successor: int


class Dealer:
    """Deals segments in order to the ranks that asked, first come, first served.

    Segments are announced with `add` in the order of their numbers; those that need no work (a run
    that is continued) are left out. Segments of one group go to the rank that was dealt the first
    of them, which asks only for that.
    """

    def __init__(self) -> None:
        self._segments: deque[tuple[int, bool, int]] = deque()
        self._ranks: deque[int] = deque()
        self._last_added = NOBODY
        self._last_deal: Deal | None = None
        self._last_group = NOBODY
        self._closed = False

    def add(self, segment: int, begins_shot: bool, group: int | None = None) -> None:
        """Announces the next segment that needs work. group: None if it is its own."""
        if segment <= self._last_added:
            raise ValueError(f"segment {segment} was announced after {self._last_added}")
        self._last_added = segment
        self._segments.append((segment, begins_shot, segment if group is None else group))

    def close(self) -> None:
        """Says that no segment will follow."""
        self._closed = True

    def request(self, rank: int) -> None:
        """Notes that `rank` can take a segment, with its group. A rank asks again only after it was
        dealt one."""
        if rank in self._ranks:
            raise ValueError(f"rank {rank} asked twice")
        self._ranks.append(rank)

    def waiting_ranks(self) -> Sequence[int]:
        """The ranks that have asked and were not dealt anything yet, in that order."""
        return self._ranks

    def withdraw(self, rank: int) -> None:
        """Takes back that `rank` can take a segment: it was given something else to do."""
        self._ranks.remove(rank)

    def deal(self) -> tuple[list[Deal], list[HandOver]]:
        """What can be dealt now, and the hand-overs that become known by it."""
        deals, hand_overs = [], []
        while self._segments:
            segment, begins_shot, group = self._segments[0]
            if self._last_deal is not None and group == self._last_group:
                deal = Deal(segment, self._last_deal.rank)
            elif self._ranks:
                deal = Deal(segment, self._ranks.popleft())
            else:
                break
            self._segments.popleft()
            self._last_group = group
            deals.append(deal)
            if self._last_deal is not None:
                follows = self._last_deal.segment == segment - 1 and not begins_shot
                hand_overs.append(self._hand_over(deal.rank if follows else NOBODY))
            self._last_deal = deal
        if self._closed and not self._segments and self._last_deal is not None:
            hand_overs.append(self._hand_over(NOBODY))
            self._last_deal = None
        return deals, hand_overs

    def _hand_over(self, successor: int) -> HandOver:
        assert self._last_deal is not None
        return HandOver(self._last_deal.segment, self._last_deal.rank, successor)
