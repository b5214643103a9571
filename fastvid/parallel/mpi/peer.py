"""Who the ranks of a job are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """What is known of a rank: its host, process, the cores that it may call its own, the memory
    that its host (or its share of it) had left at the start, and its kind of processor."""

    rank: int
    host: str
    cores: int
    memory_bytes: int
    pid: int
    processor: str = ""

    def __str__(self) -> str:
        return f"rank {self.rank} on {self.host}"


def local_ranks(peers: Sequence[Peer]) -> list[int]:
    """The number of each rank among those of its host, from 0. peers: one a rank, in rank order."""
    seen: Counter[str] = Counter()
    numbers = []
    for peer in peers:
        numbers.append(seen[peer.host])
        seen[peer.host] += 1
    return numbers
