"""Who the ranks of a job are."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """What is known of a rank: its host, process, the cores that it may call its own, and the
    memory that its host (or its share of it) had left at the start."""

    rank: int
    host: str
    cores: int
    memory_bytes: int
    pid: int

    def __str__(self) -> str:
        return f"rank {self.rank} on {self.host}"


def local_rank(peers: Sequence[Peer], rank: int) -> int:
    """The number of a rank among those of its host, from 0. peers: one a rank, in rank order."""
    return sum(peer.host == peers[rank].host for peer in peers[:rank])
