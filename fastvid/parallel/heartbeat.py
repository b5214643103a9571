"""Heartbeats: who was heard when, and what it was doing; a rank that falls silent ends the job.

A rank's main thread sends its heartbeats, so that a stopped process or a host without power falls
silent. It also falls silent when its engine does not come out of one step any more; a step may take
minutes, where large frames meet slow flow, and more than the silence that tells of a lost host.

Two kinds of silence are none. A rank that has not sent its first heartbeat of the job is loading
libraries, which takes minutes where many ranks read them from one file system. And while this rank
itself was suspended it could not hear anybody: such time does not count.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from fastvid.errors import EXIT_SILENT, RemoteError
from fastvid.parallel import messages
from fastvid.parallel.dispatch import receives_from
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.awake import AwakeClock
from fastvid.system.resources import human_seconds

_LONGEST_INTERVAL_S = 5.0
_BEATS_PER_TIMEOUT = 4
# How long a rank may load libraries, if `timeout_s` is less.
START_PATIENCE_S = 1800.0
# How long a step may take, if `timeout_s` is less.
STEP_PATIENCE_S = 300.0


@dataclass(frozen=True)
class LastHeartbeat:
    """What was last heard of a rank. at: seconds since the epoch."""

    at: float
    doing: str
    bytes_sent: int = 0


class Heartbeats:
    """The heartbeats of one rank: it sends its own, and watches over those that it listens to.

    On rank 0 these are all other ranks, on the others rank 0. timeout_s: silence beyond this ends
    the job. start_s: so does a first heartbeat that takes longer, step_s: and a step. met: called
    once the first heartbeats of all of them are here. clock: seconds, as
    `time.monotonic` counts them. receivers: of the messages for it.
    """

    def __init__(
        self,
        comm: Communicator,
        engine: Engine,
        timeout_s: float,
        start_s: float = START_PATIENCE_S,
        step_s: float = STEP_PATIENCE_S,
        met: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._comm = comm
        self._engine = engine
        self._timeout_s = timeout_s
        self._start_s = max(start_s, timeout_s)
        self._step_s = max(step_s, timeout_s)
        self._met = met
        self._interval_s = min(_LONGEST_INTERVAL_S, timeout_s / _BEATS_PER_TIMEOUT)
        self._listeners = [r for r in range(comm.size) if r != comm.rank] if comm.rank == 0 else [0]
        # A job may be suspended: from one step to the next no more than an interval counts.
        self._clock = AwakeClock(self._interval_s, clock)
        now = self._clock.look()
        self._next_beat = now
        self._last = dict.fromkeys(self._listeners, now)
        self._starting = set(self._listeners)
        self._heard = {rank: LastHeartbeat(time.time(), "starting") for rank in range(comm.size)}
        self.receivers = (receives_from(messages.Heartbeat, self._take),)

    def note_sign_of_life(self, rank: int) -> None:
        """Notes that a rank has sent a message, of whatever kind."""
        if rank in self._last:
            self._last[rank] = self._clock.look()

    def _take(self, source: int, beat: messages.Heartbeat) -> None:
        self._heard[source] = LastHeartbeat(time.time(), beat.doing, beat.bytes_sent)
        if source in self._starting:
            self._starting.remove(source)
            if not self._starting and self._met is not None:
                self._met()

    def rows(self) -> list[tuple[int, str, int, float, str, int]]:
        """(rank, host, process, last heard, doing, bytes sent) of every rank, for the run file."""
        return [
            (peer.rank, peer.host, peer.pid, heard.at, heard.doing, heard.bytes_sent)
            for peer, heard in zip(self._comm.peers, self._heard.values(), strict=True)
        ]

    def step(self) -> None:
        """Sends a heartbeat if it is time. Raises RemoteError if somebody has been silent too
        long."""
        now = self._clock.look()
        if now < self._next_beat:
            return
        self._next_beat = now + self._interval_s
        doing, sent = self._engine.doing, self._comm.bytes_sent
        self._heard[self._comm.rank] = LastHeartbeat(time.time(), doing, sent)
        if self._clock.since(now - self._engine.step_seconds()) < self._step_s:
            for rank in self._listeners:
                self._comm.send(rank, messages.Heartbeat(doing, sent))
        for rank, last in self._last.items():
            silent_s = self._clock.since(last)
            if silent_s > (self._start_s if rank in self._starting else self._timeout_s):
                raise RemoteError(self._silence(rank, silent_s), EXIT_SILENT)

    def _silence(self, rank: int, silent_s: float) -> str:
        """What to tell the user of a rank that has fallen silent."""
        peer, heard = self._comm.peers[rank], self._heard[rank]
        return (
            f"{peer} (process {peer.pid}) has been silent for "
            f"{human_seconds(silent_s)}; last heard of: {heard.doing}.\n"
            "What is finished is kept: start the same command again, without that host if "
            "it is broken. --rank-timeout sets how long to wait."
        )
