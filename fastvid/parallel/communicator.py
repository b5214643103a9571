"""All raw MPI calls of fastvid: one mailbox per rank, on which typed messages with arrays come and
go.

A message is a short header of integers and any number of arrays. The header travels on one
communicator and the arrays on a second one, so that probing for headers never meets a frame. MPI
keeps the order between two ranks on a communicator, hence arrays are matched to headers by order
alone.

Nothing here blocks: waiting is probing with a back-off, because a blocked `Recv` spins and a rank
that waits would take its core from one that works (mpich, 16 ranks on 2 cores: 8.8 against 0.7
CPU-seconds).
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from fastvid.errors import InputError
from fastvid.parallel.launch import check_launch
from fastvid.parallel.message import Kind, Message
from fastvid.resources import available_memory_bytes, usable_cores

# Waiting: the first sleep, the longest one while arrays are on their way, the longest one of rank 0
# and of the others. To wake up and look costs about 100 microseconds: a rank with nothing to do
# uses 0.5 % of a core (at 5 ms it was 2 %, and 64 ranks on one host took a whole core).
FIRST_SLEEP_S = 0.0002
TRANSFER_SLEEP_S = 0.001
LEADER_SLEEP_S = 0.005
LONGEST_SLEEP_S = 0.02
# How long rank 0 waits for all ranks to leave after a job that went well. They may still be loading
# libraries for it, on a busy host.
GOOD_PATIENCE_S = 120.0
# The same after input that can't be used, for which no rank can have died at its work: ended before
# they leave, they would turn the exit status into that of a killed program.
REFUSED_PATIENCE_S = 30.0
# How long a rank that gives up waits for its messages to leave: a dead rank never takes them.
FAILED_PATIENCE_S = 2.0

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


@dataclass(frozen=True)
class Peer:
    """What is known of a rank: its host, process, the cores that it may call its own, and the
    memory that its host (or its share of it) had left at the start."""

    rank: int
    host: str
    cores: int
    memory_bytes: int
    pid: int


class Communicator:
    """The mailbox of one rank.

    rank, size: as MPI counts them. peers: one `Peer` a rank, in rank order. job: the number of the
    job at hand; what is left over from an earlier one is dropped on arrival. stop_reason: what
    asked this rank to stop (on rank 0: any rank), None if nothing did.
    """

    def __init__(self, mpi: Any, world: Any) -> None:
        self._mpi = mpi
        self._headers = world.Dup()
        self._arrays = world.Dup()
        self.rank: int = world.Get_rank()
        self.size: int = world.Get_size()
        self.job = 0
        self.stop_reason: str | None = None
        self._stop_passed_on = False
        self._outgoing: list[tuple[Any, object]] = []
        self._status = mpi.Status()
        # By the rank they come from, while something of it is on its way.
        self._incoming: dict[int, deque[_Incoming]] = {}
        self._sleep_s = FIRST_SLEEP_S
        self.bytes_sent = 0
        self.wake = threading.Event()
        self.peers = self._meet(world)

    def _meet(self, world: Any) -> tuple[Peer, ...]:
        host = socket.gethostname()
        cores = tuple(sorted(os.sched_getaffinity(0)))
        facts = world.allgather(
            (host, cores, usable_cores(), available_memory_bytes(), os.getpid())
        )
        peers = []
        for rank, (its_host, its_cores, usable, memory, pid) in enumerate(facts):
            # Ranks bound to the same cores share them; ranks bound apart do not.
            sharers = sum(1 for other in facts if other[:2] == (its_host, its_cores))
            peers.append(Peer(rank, its_host, max(1, usable // sharers), memory, pid))
        return tuple(peers)

    @property
    def local_rank(self) -> int:
        """The number of this rank among those of its host, from 0."""
        host = self.peers[self.rank].host
        return sum(1 for peer in self.peers[: self.rank] if peer.host == host)

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
        self._outgoing.append((self._headers.Isend(packed, dest=dest, tag=kind), packed))
        for array in contiguous:
            raw = array.reshape(-1).view(np.uint8)
            self._outgoing.append(
                (self._arrays.Isend([raw, self._mpi.BYTE], dest=dest, tag=kind), array)
            )
            if dest != self.rank:
                self.bytes_sent += raw.nbytes
        self._sleep_s = FIRST_SLEEP_S

    def send_text(self, dest: int, kind: Kind, text: str, header: Sequence[int] = ()) -> None:
        """Sends a message whose only array is a text, as UTF-8."""
        self.send(dest, kind, header, [np.frombuffer(text.encode("utf-8"), dtype=np.uint8)])

    def sending(self) -> bool:
        """Whether anything sent is still on its way out of this rank."""
        if self._outgoing:
            self._outgoing = [item for item in self._outgoing if not item[0].Test()]
        return bool(self._outgoing)

    def poll(self) -> list[Message]:
        """The messages that are complete by now, in the order in which each rank sent them."""
        self.sending()
        self._pass_stop_on()
        self._accept_headers()
        arrived = []
        for source, queue in list(self._incoming.items()):
            while queue and all(request.Test() for request in queue[0].requests):
                message = queue.popleft().message
                if message.kind is Kind.STOP:
                    self.stop_reason = self.stop_reason or message.text()
                elif message.job == self.job or message.kind in _ANY_JOB:
                    arrived.append(message)
                    if message.kind in _TURNING_POINTS:
                        break
            if not queue:
                del self._incoming[source]
        if arrived:
            self._sleep_s = FIRST_SLEEP_S
        return arrived

    def _pass_stop_on(self) -> None:
        """Tells rank 0, once, that this rank was asked to stop."""
        if self.rank != 0 and self.stop_reason is not None and not self._stop_passed_on:
            self._stop_passed_on = True
            where = f"{self.stop_reason} on rank {self.rank}"
            self.send_text(0, Kind.STOP, where)

    def _accept_headers(self) -> None:
        status = self._status
        while True:
            probed = self._headers.Improbe(
                source=self._mpi.ANY_SOURCE, tag=self._mpi.ANY_TAG, status=status
            )
            if probed is None:
                return
            source, kind = status.Get_source(), Kind(status.Get_tag())
            packed = np.empty(status.Get_count(self._mpi.INT64_T), dtype=np.int64)
            probed.Recv(packed)
            numbers = packed.tolist()
            job, length = numbers[:2]
            header = tuple(numbers[2: 2 + length])
            arrays, requests = [], []
            at = 3 + length
            for _ in range(numbers[at - 1]):
                ndim = numbers[at + 1]
                array = np.empty(numbers[at + 2: at + 2 + ndim], dtype=_DTYPES[numbers[at]])
                at += 2 + ndim
                raw = array.reshape(-1).view(np.uint8)
                requests.append(
                    self._arrays.Irecv([raw, self._mpi.BYTE], source=source, tag=kind)
                )
                arrays.append(array)
            message = Message(kind, source, job, header, tuple(arrays))
            self._incoming.setdefault(source, deque()).append(_Incoming(message, requests))

    def rest(self, longest_s: float = LONGEST_SLEEP_S) -> None:
        """Sleeps a little: longer and longer while nothing happens, less while arrays travel.

        longest_s: the longest sleep. Setting `wake` from another thread ends the sleep at once.
        """
        moving = bool(self._outgoing or self._incoming)
        limit = min(TRANSFER_SLEEP_S, longest_s) if moving else longest_s
        if self.wake.wait(min(self._sleep_s, limit)):
            self.wake.clear()
            self._sleep_s = FIRST_SLEEP_S
        else:
            self._sleep_s = min(2 * self._sleep_s, longest_s)

    def wait_for(self, *kinds: Kind) -> Message:
        """The next message of one of these kinds; others that come before it are dropped."""
        while True:
            for message in self.poll():
                if message.kind in kinds:
                    return message
            self.rest()

    def send_all(self, kind: Kind, header: Sequence[int] = (),
                 arrays: Sequence[np.ndarray] = ()) -> None:
        """Sends the same message to every other rank."""
        for rank in range(self.size):
            if rank != self.rank:
                self.send(rank, kind, header, arrays)

    def drain(self, patience_s: float = 10.0,
              arrived: Callable[[Message], None] = lambda message: None) -> bool:
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
        return self.drain(patience_s)

    def abort(self, exit_status: int) -> None:
        """Ends every rank of the job at once. Code behind this call may still run for a moment."""
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
