"""The mailbox of a rank, on which typed messages come and go.

Nothing here blocks (see `fastvid.parallel.mpi.transport`). Whoever sends rings the receiver's bell,
so that a rank can sleep until there is something to look for; where bells are not heard it looks by
itself.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from fastvid.parallel.mpi.bell import Bell
from fastvid.parallel.mpi.meeting import Meeting
from fastvid.parallel.mpi.message import BODIES, Body, Farewell, Message, Quit, Stop
from fastvid.parallel.mpi.peer import local_ranks
from fastvid.parallel.mpi.transport import Arriving, Sent, Transport
from fastvid.parallel.mpi.waiting import LONGEST_SLEEP_S, Waiting
from fastvid.system.awake import Patience


@dataclass(frozen=True)
class _Outgoing:
    """What is on its way out. rung: the rank whose bell is rung once it has left, if any."""

    sent: Sent
    rung: int | None


class Communicator:
    """The mailbox of one rank.

    rank, size: as MPI counts them. peers: one `Peer` a rank, in rank order. rung_by_all: every rank
    of the job can ring every other one. bytes_sent: to other ranks, headers left out. stop_reason:
    what asked this rank to stop (on rank 0: any rank), None if nothing did; stop_asked_at: when, as
    `time.monotonic` counts.
    """

    def __init__(
        self, transport: Transport, bell: Bell, meeting: Meeting, waiting: Waiting
    ) -> None:
        self.rank = transport.rank
        self.size = transport.size
        self.peers = meeting.peers
        self.rung_by_all = meeting.rung_by_all
        self.bytes_sent = 0
        self.stop_reason: str | None = None
        self.stop_asked_at: float | None = None
        self._transport = transport
        self._bell = bell
        self._doorbells = meeting.doorbells
        self._waiting = waiting
        self._job = 0
        self._stop_passed_on = False
        self._outgoing: list[_Outgoing] = []
        # By the rank they come from, while something of it is on its way.
        self._incoming: dict[int, deque[Arriving]] = {}
        # How many farewells of each rank are still to come; on rank 0.
        self._farewells_due: Counter[int] = Counter()

    @property
    def local_rank(self) -> int:
        """The number of this rank among those of its host, from 0."""
        return local_ranks(self.peers)[self.rank]

    # -- jobs ------------------------------------------------------------------------------------

    @property
    def job(self) -> int:
        """The number of the job at hand; what is left over from an earlier one is dropped."""
        return self._job

    def begin_job(self) -> None:
        """Begins a new job; called on rank 0."""
        self._job += 1

    def join_job(self, job: int) -> None:
        """Takes part in the job of that number, which rank 0 has begun."""
        self._job = job

    # -- sending ---------------------------------------------------------------------------------

    def send(self, dest: int, body: Body) -> None:
        """Sends a message without waiting; its arrays must not change until `sending()` is
        false."""
        header, *arrays = self._transport.send(dest, body.kind, self._job, body.pack())
        self._keep(header, rung=dest)
        for array in arrays:
            self._keep(array, rung=None)
            if dest != self.rank:
                self.bytes_sent += array.content.nbytes
        self._doorbells.ring(dest)
        self._waiting.note_activity()

    def _keep(self, sent: Sent, rung: int | None) -> None:
        """Keeps what is sent until it has left."""
        if not sent.has_left():
            self._outgoing.append(_Outgoing(sent, rung))

    def send_all(self, body: Body) -> None:
        """Sends the same message to every other rank."""
        for rank in range(self.size):
            if rank != self.rank:
                self.send(rank, body)

    def sending(self) -> bool:
        """Whether anything sent is still on its way out of this rank."""
        if self._outgoing:
            still = []
            for item in self._outgoing:
                if not item.sent.has_left():
                    still.append(item)
                elif item.rung is not None:
                    self._doorbells.ring(item.rung)  # the first time it may have looked in vain
            self._outgoing = still
        return bool(self._outgoing)

    def outgoing_bytes(self) -> int:
        """Bytes of what was sent and had not left this rank when it last looked."""
        return sum(item.sent.content.nbytes for item in self._outgoing)

    def drain(
        self, patience_s: float = 10.0, arrived: Callable[[Message], None] = lambda message: None
    ) -> bool:
        """Waits until everything sent has left; false if that takes longer than `patience_s`."""
        patience = Patience(patience_s)
        while self.sending():
            for message in self.poll():
                arrived(message)
            if patience.over():
                return False
            self.rest()
        return True

    # -- receiving -------------------------------------------------------------------------------

    def poll(self) -> list[Message]:
        """The messages that are complete by now, in the order in which each rank sent them."""
        rung = self._bell.drain()
        self.sending()
        self._pass_stop_on()
        arriving = self._transport.receive()
        for message in arriving:
            self._incoming.setdefault(message.source, deque()).append(message)
        arrived: list[Message] = []
        for source, waiting in list(self._incoming.items()):
            arrived += self._take_complete(waiting)
            if not waiting:
                del self._incoming[source]
        if arrived or arriving:
            self._waiting.note_activity()
        elif rung:
            self._waiting.note_ring_for_nothing()
        return arrived

    def _take_complete(self, arriving: deque[Arriving]) -> list[Message]:
        """Takes off what is complete of what one rank has sent, up to a turning point."""
        found = []
        while arriving and arriving[0].complete():
            one = arriving.popleft()
            kind = BODIES[one.kind]
            if not kind.any_job and one.job != self._job:
                continue
            body = kind.unpack(one.content)
            if isinstance(body, Stop):
                self.ask_to_stop(body.reason)
                continue
            if isinstance(body, Farewell):
                self._farewells_due -= Counter((one.source,))  # never below 0
                continue
            found.append(Message(one.source, one.job, body))
            if kind.turning_point:
                break
        return found

    def wait_for(self, *bodies: type[Body]) -> Message:
        """The next message with one of these bodies; others that come before it are dropped."""
        while True:
            for message in self.poll():
                if isinstance(message.body, bodies):
                    return message
            self.rest()

    # -- sleeping --------------------------------------------------------------------------------

    def rest(self, longest_s: float = LONGEST_SLEEP_S) -> None:
        """Sleeps until somebody rings or wakes this rank, or it is time to look again.

        longest_s: the longest sleep where not every rank rings.
        """
        self._waiting.sleep(bool(self._outgoing or self._incoming), longest_s)

    def wake(self) -> None:
        """Ends the rest of this rank, or its next one; from any thread or signal handler."""
        self._bell.set()

    # -- stopping and leaving --------------------------------------------------------------------

    def ask_to_stop(self, reason: str) -> None:
        """Leaves a note that this rank has to stop; the first one counts. For signal handlers."""
        if self.stop_reason is None:
            self.stop_asked_at = time.monotonic()
            self.stop_reason = reason
            self.wake()  # this rank may be asleep

    def forget_stop(self) -> None:
        """Takes the note away: what was to stop has stopped, and what comes next may go on."""
        self.stop_reason = self.stop_asked_at = None
        self._stop_passed_on = False

    def _pass_stop_on(self) -> None:
        """Tells rank 0, once, that this rank was asked to stop."""
        if self.rank != 0 and self.stop_reason is not None and not self._stop_passed_on:
            self._stop_passed_on = True
            self.send(0, Stop(f"{self.stop_reason} on rank {self.rank}"))

    def send_home(self, exit_status: int, patience_s: float, reason: str = "") -> bool:
        """Tells all other ranks to leave and waits for their farewells; false if one does not come.

        reason: of a status that is not 0, for ranks that tell it. Rank 0 must not end MPI before:
        over TCP a rank was seen waiting for ever for a QUIT that had left rank 0, while rank 0
        waited for that rank in the end of MPI.
        """
        self.send_all(Quit(exit_status, reason))
        self._farewells_due.update(rank for rank in range(self.size) if rank != self.rank)
        return self.wait_for_farewells(patience_s)

    def wait_for_farewells(self, patience_s: float) -> bool:
        """Waits until every rank that was told to leave has said so, and all that was sent has
        left; false if that takes longer."""
        patience = Patience(patience_s)
        while self._farewells_due or self.sending():
            self.poll()
            if (self._farewells_due or self.sending()) and patience.over():
                return False
            self.rest()
        return True

    def say_farewell(self) -> bool:
        """Tells rank 0, which has told this rank to leave, that it does; whether that has left."""
        self.send(0, Farewell())
        return self.drain()

    def close(self) -> None:
        """Gives the bells back, once MPI has ended: nobody rings here any more."""
        self._doorbells.close()
        self._bell.close()

    def abort(self, exit_status: int) -> None:
        """Ends every rank of the job at once. Code behind this call may still run for a moment."""
        self._transport.abort(exit_status)
