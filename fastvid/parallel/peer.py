"""Who the ranks of a job are."""

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
