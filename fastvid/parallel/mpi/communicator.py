"""All raw MPI calls of fastvid: one mailbox per rank, on which typed messages with arrays come and
go.

A message is a short header of integers and any number of arrays. The header travels on one
communicator and the arrays on a second one, so that probing for headers never meets a frame. MPI
keeps the order between two ranks on a communicator, hence arrays are matched to headers by order
alone.

Nothing here blocks: a blocked `Recv` spins, and a rank that waits would take its core from one that
works (mpich, 16 ranks on 2 cores: 8.8 against 0.7 CPU-seconds with probing and a back-off). Whoever
sends rings the receiver's bell, so that a rank can sleep until there is something to look for;
where bells are not heard it looks by itself.
"""

import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from fastvid.errors import InputError
from fastvid.parallel.mpi.bell import Bell, Ropes
from fastvid.parallel.mpi.launch import check_launch, launched_by_srun
from fastvid.parallel.mpi.message import Kind, Message
from fastvid.parallel.mpi.peer import Peer, local_rank
from fastvid.parallel.mpi.waiting import LONGEST_SLEEP_S, Waiting
from fastvid.system.resources import available_memory_bytes, usable_cores

# A probe takes in a part of what is there, and may find nothing while a header lies behind arrays
# (seen with mpich: the rank then slept beside its mail). After so many in vain there is none: they
# take in the 64 entries of a queue of UCX however slowly it begins. A probe takes 0.2 microseconds.
_PROBES_IN_VAIN = 16
# How long rank 0 waits for all ranks to leave after a job that went well. They may still be loading
# libraries for it, on a busy host.
GOOD_PATIENCE_S = 120.0
# The same after input that can't be used, for which no rank can have died at its work: ended before
# they leave, they would turn the exit status into that of a killed program.
REFUSED_PATIENCE_S = 30.0
# How long a rank that gives up waits for its messages to leave: a dead rank never takes them.
FAILED_PATIENCE_S = 2.0
# How long MPI may take to end all ranks, before an alarm ends this one: under srun, where it was
# never seen to, and under an mpirun, which may be held up by a rank that is stopped.
ABORT_PATIENCE_S = 0.5
MPIRUN_ABORT_PATIENCE_S = 20.0

_DTYPES = tuple(np.dtype(name) for name in ("uint8", "int64", "float32", "float64"))


# These count whatever job they come from.
_ANY_JOB = (Kind.SETUP, Kind.TRAIN, Kind.QUIT, Kind.FAREWELL, Kind.LOOK, Kind.SEEN)
# Behind these the receiver does something else: what the same rank has sent after them waits for
# the next poll. A rank that was slow to start may find the whole of a short job in its mailbox.
_TURNING_POINTS = (Kind.SETUP, Kind.END)


@dataclass
class _Incoming:
    message: Message
    requests: list[Any] = field(default_factory=list)


@dataclass
class _Outgoing:
    """What is on its way out. content: must not be freed. rung: the rank whose bell is rung once
    it has left, if any."""

    request: Any
    content: np.ndarray
    rung: int | None


class Communicator:
    """The mailbox of one rank.

    rank, size: as MPI counts them. peers: one `Peer` a rank, in rank order. job: the number of the
    job at hand; what is left over from an earlier one is dropped on arrival. stop_reason: what
    asked this rank to stop (on rank 0: any rank), None if nothing did; stop_asked_at: when, as
    `time.monotonic` counts. wake: ends the rest of this rank, from any thread. rung_by_all: every
    rank of the job is on this host and rings.
    """

    def __init__(self, mpi: Any, world: Any) -> None:
        self._mpi = mpi
        self._headers = world.Dup()
        self._arrays = world.Dup()
        self.rank: int = world.Get_rank()
        self.size: int = world.Get_size()
        self.job = 0
        self.stop_reason: str | None = None
        self.stop_asked_at: float | None = None
        self._stop_passed_on = False
        self._outgoing: list[_Outgoing] = []
        self._status = mpi.Status()
        # By the rank they come from, while something of it is on its way.
        self._incoming: dict[int, deque[_Incoming]] = {}
        self.bytes_sent = 0
        self.wake = Bell()
        self.peers, names = self._meet(world)
        self._ropes = Ropes(names)
        reached = world.allgather(len(self._ropes.ranks))
        self.rung_by_all = all(count == self.size for count in reached)
        self._waiting = Waiting(self.wake, self.rung_by_all)

    def _meet(self, world: Any) -> tuple[tuple[Peer, ...], dict[int, str]]:
        """All ranks, and the names of their bells."""
        host = socket.gethostname()
        cores = tuple(sorted(os.sched_getaffinity(0)))
        facts = world.allgather(
            (host, cores, usable_cores(), available_memory_bytes(), os.getpid(), self.wake.name)
        )
        peers, names = [], {}
        for rank, (its_host, its_cores, usable, memory, pid, name) in enumerate(facts):
            # Ranks bound to the same cores share them; ranks bound apart do not.
            sharers = sum(1 for other in facts if other[:2] == (its_host, its_cores))
            peers.append(Peer(rank, its_host, max(1, usable // sharers), memory, pid))
            names[rank] = name
        return tuple(peers), names

    @property
    def local_rank(self) -> int:
        """The number of this rank among those of its host, from 0."""
        return local_rank(self.peers, self.rank)

    def send(
        self,
        dest: int,
        kind: Kind,
        header: Sequence[int] = (),
        arrays: Sequence[np.ndarray] = (),
    ) -> None:
        """Sends a message without waiting; the arrays must not change until `sending()` is
        false."""
        numbers = [self.job, len(header), *header, len(arrays)]
        contiguous = [np.ascontiguousarray(array) for array in arrays]
        for array in contiguous:
            numbers += [_DTYPES.index(array.dtype), array.ndim, *array.shape]
        packed = np.array(numbers, dtype=np.int64)
        self._post(self._headers.Isend(packed, dest=dest, tag=kind), packed, rung=dest)
        for array in contiguous:
            raw = array.reshape(-1).view(np.uint8)
            self._post(self._arrays.Isend([raw, self._mpi.BYTE], dest=dest, tag=kind), array)
            if dest != self.rank:
                self.bytes_sent += raw.nbytes
        self._ropes.ring(dest)
        self._waiting.note_activity()

    def _post(self, request: Any, content: np.ndarray, rung: int | None = None) -> None:
        """Keeps what is sent until it has left."""
        if not request.Test():
            self._outgoing.append(_Outgoing(request, content, rung))

    def send_text(self, dest: int, kind: Kind, text: str, header: Sequence[int] = ()) -> None:
        """Sends a message whose only array is a text, as UTF-8."""
        self.send(
            dest,
            kind,
            header,
            [np.frombuffer(text.encode("utf-8", "surrogateescape"), dtype=np.uint8)],
        )

    def sending(self) -> bool:
        """Whether anything sent is still on its way out of this rank."""
        if self._outgoing:
            still = []
            for item in self._outgoing:
                if not item.request.Test():
                    still.append(item)
                elif item.rung is not None:
                    self._ropes.ring(item.rung)  # the first time it may have looked in vain
            self._outgoing = still
        return bool(self._outgoing)

    def outgoing_bytes(self) -> int:
        """Bytes of what was sent and had not left this rank when it last looked."""
        return sum(item.content.nbytes for item in self._outgoing)

    def poll(self) -> list[Message]:
        """The messages that are complete by now, in the order in which each rank sent them."""
        rung = self.wake.drain()
        self.sending()
        self._pass_stop_on()
        accepted = self._accept_headers()
        arrived = []
        for source, queue in list(self._incoming.items()):
            while queue and all(request.Test() for request in queue[0].requests):
                message = queue.popleft().message
                if message.kind is Kind.STOP:
                    self.ask_to_stop(message.text())
                elif message.job == self.job or message.kind in _ANY_JOB:
                    arrived.append(message)
                    if message.kind in _TURNING_POINTS:
                        break
            if not queue:
                del self._incoming[source]
        if arrived or accepted:
            self._waiting.note_activity()
        elif rung:
            self._waiting.note_ring_for_nothing()
        return arrived

    def ask_to_stop(self, reason: str) -> None:
        """Leaves a note that this rank has to stop; the first one counts. For signal handlers."""
        if self.stop_reason is None:
            self.stop_asked_at = time.monotonic()
            self.stop_reason = reason
            self.wake.set()  # this rank may be asleep

    def _pass_stop_on(self) -> None:
        """Tells rank 0, once, that this rank was asked to stop."""
        if self.rank != 0 and self.stop_reason is not None and not self._stop_passed_on:
            self._stop_passed_on = True
            where = f"{self.stop_reason} on rank {self.rank}"
            self.send_text(0, Kind.STOP, where)

    def _accept_headers(self) -> bool:
        """Gets ready for the arrays of what is announced; whether there was anything."""
        status, accepted, in_vain = self._status, False, 0
        while True:
            probed = self._headers.Improbe(
                source=self._mpi.ANY_SOURCE, tag=self._mpi.ANY_TAG, status=status
            )
            if probed is None:
                in_vain += 1
                if in_vain == _PROBES_IN_VAIN:
                    return accepted
                continue
            accepted, in_vain = True, 0
            source, kind = status.Get_source(), Kind(status.Get_tag())
            packed = np.empty(status.Get_count(self._mpi.INT64_T), dtype=np.int64)
            probed.Recv(packed)
            numbers = packed.tolist()
            job, length = numbers[:2]
            header = tuple(numbers[2 : 2 + length])
            arrays, requests = [], []
            at = 3 + length
            for _ in range(numbers[at - 1]):
                ndim = numbers[at + 1]
                array = np.empty(numbers[at + 2 : at + 2 + ndim], dtype=_DTYPES[numbers[at]])
                at += 2 + ndim
                raw = array.reshape(-1).view(np.uint8)
                requests.append(self._arrays.Irecv([raw, self._mpi.BYTE], source=source, tag=kind))
                arrays.append(array)
            message = Message(kind, source, job, header, tuple(arrays))
            self._incoming.setdefault(source, deque()).append(_Incoming(message, requests))

    def rest(self, longest_s: float = LONGEST_SLEEP_S) -> None:
        """Sleeps until somebody rings or sets `wake`, or it is time to look again.

        longest_s: the longest sleep where not every rank rings.
        """
        self._waiting.sleep(bool(self._outgoing or self._incoming), longest_s)

    def wait_for(self, *kinds: Kind) -> Message:
        """The next message of one of these kinds; others that come before it are dropped."""
        while True:
            for message in self.poll():
                if message.kind in kinds:
                    return message
            self.rest()

    def send_all(
        self, kind: Kind, header: Sequence[int] = (), arrays: Sequence[np.ndarray] = ()
    ) -> None:
        """Sends the same message to every other rank."""
        for rank in range(self.size):
            if rank != self.rank:
                self.send(rank, kind, header, arrays)

    def drain(
        self, patience_s: float = 10.0, arrived: Callable[[Message], None] = lambda message: None
    ) -> bool:
        """Waits until everything sent has left; false if that takes longer than `patience_s`."""
        deadline = time.monotonic() + patience_s
        while self.sending():
            for message in self.poll():
                arrived(message)
            if time.monotonic() > deadline:
                return False
            self.rest()
        return True

    def send_home(self, exit_status: int, patience_s: float) -> bool:
        """Tells all other ranks to leave and waits for their farewells; false if one does not come.

        Rank 0 must not end MPI before: over TCP a rank was seen waiting for ever for a QUIT that
        had left rank 0, while rank 0 waited for that rank in the end of MPI.
        """
        self.send_all(Kind.QUIT, [exit_status])
        missing = set(range(self.size)) - {self.rank}
        deadline = time.monotonic() + patience_s
        while missing:
            for message in self.poll():
                if message.kind is Kind.FAREWELL:
                    missing.discard(message.source)
            if time.monotonic() > deadline:
                return False
            self.rest()
        return self.drain(deadline - time.monotonic())

    def abort(self, exit_status: int) -> None:
        """Ends every rank of the job at once. Code behind this call may still run for a moment."""
        # mpich's abort never returns under srun, whose PMI-2 does nothing about it, and no thread
        # could end this process meanwhile: mpi4py holds the interpreter's lock. Once a rank has
        # died, srun --kill-on-bad-exit ends the others.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        by_srun = launched_by_srun(os.environ)
        signal.setitimer(
            signal.ITIMER_REAL, ABORT_PATIENCE_S if by_srun else MPIRUN_ABORT_PATIENCE_S
        )
        self._headers.Abort(exit_status)
        os._exit(exit_status)


def connect() -> Communicator:
    """Starts MPI and meets the other ranks.

    Raises InputError if there is no MPI library, or if the launcher belongs to another MPI and has
    started many programs of size one.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"No usable MPI library: {error}\n"
            "Install the embedded one (pip install 'fastvid[mpich]') or load your cluster's MPI "
            "module first."
        ) from error
    check_launch(MPI.COMM_WORLD.Get_size(), os.environ)
    comm = Communicator(MPI, MPI.COMM_WORLD)
    _connected.append(comm)
    return comm


# Kept until MPI ends: arrays that are on their way when a job breaks off must not be freed under
# it. (Left to the end of the interpreter, MPI would end after they are gone, and crash.)
_connected: list[Communicator] = []


def finalize() -> None:
    """Ends MPI in this process, if it has begun."""
    if _connected:
        from mpi4py import MPI

        if MPI.Is_initialized() and not MPI.Is_finalized():
            MPI.Finalize()


def leave(exit_status: int) -> NoReturn:
    """Ends MPI and this process without waiting for its threads."""
    finalize()
    os._exit(exit_status)
