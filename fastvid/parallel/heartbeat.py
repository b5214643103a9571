"""Heartbeats: who was heard when, and what it was doing; a rank that falls silent ends the job.

A rank's main thread sends its heartbeats, so that a stopped process or a host without power falls
silent. It also falls silent when its engine does not come out of one step any more.
"""

import time
from dataclasses import dataclass

from fastvid.errors import RemoteError
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.mpi.communicator import Communicator, Kind, Message
from fastvid.system.resources import human_seconds

_LONGEST_INTERVAL_S = 5.0
_BEATS_PER_TIMEOUT = 4


@dataclass
class LastHeartbeat:
    """What was last heard of a rank. at: seconds since the epoch."""

    at: float
    doing: str
    bytes_sent: int = 0


class Heartbeats:
    """The heartbeats of one rank: it sends its own, and watches over those that it listens to.

    On rank 0 these are all other ranks, on the others rank 0. timeout_s: silence beyond this ends
    the job.
    """

    def __init__(self, comm: Communicator, engine: Engine, timeout_s: float) -> None:
        self._comm = comm
        self._engine = engine
        self._timeout_s = timeout_s
        self._interval_s = min(_LONGEST_INTERVAL_S, timeout_s / _BEATS_PER_TIMEOUT)
        self._listeners = [r for r in range(comm.size) if r != comm.rank] if comm.rank == 0 else [0]
        now = time.monotonic()
        self._next_beat = now
        self._last = {rank: now for rank in self._listeners}
        self.heard = {rank: LastHeartbeat(time.time(), "starting") for rank in range(comm.size)}

    def noticed(self, message: Message) -> None:
        """Counts a message of whatever kind as a sign of life."""
        if message.source in self._last:
            self._last[message.source] = time.monotonic()
        if message.kind is Kind.HEARTBEAT:
            self.heard[message.source] = LastHeartbeat(
                time.time(), message.text(), message.header[0]
            )

    def rows(self) -> list[tuple[int, str, int, float, str, int]]:
        """(rank, host, process, last heard, doing, bytes sent) of every rank, for the run file."""
        return [
            (peer.rank, peer.host, peer.pid, heard.at, heard.doing, heard.bytes_sent)
            for peer, heard in zip(self._comm.peers, self.heard.values(), strict=True)
        ]

    def step(self) -> None:
        """Sends a heartbeat if it is time. Raises RemoteError if somebody has been silent too
        long."""
        now = time.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + self._interval_s
        self.heard[self._comm.rank] = LastHeartbeat(
            time.time(), self._engine.doing, self._comm.bytes_sent
        )
        if self._engine.step_seconds() < self._timeout_s:
            for rank in self._listeners:
                self._comm.send_text(
                    rank, Kind.HEARTBEAT, self._engine.doing, [self._comm.bytes_sent]
                )
        for rank, last in self._last.items():
            if now - last > self._timeout_s:
                peer, doing = self._comm.peers[rank], self.heard[rank].doing
                raise RemoteError(
                    f"rank {rank} on {peer.host} (process {peer.pid}) has been silent for "
                    f"{human_seconds(now - last)}; last heard of: {doing}.\n"
                    "What is finished is kept: start the same command again, without that host if "
                    "it is broken. --rank-timeout sets how long to wait."
                )
