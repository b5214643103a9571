"""All raw MPI calls of fastvid; the only module that imports mpi4py.

What is sent is a short header of integers and any number of arrays. The header travels on one
communicator and the arrays on a second one, so that probing for headers never meets a frame. MPI
keeps the order between two ranks on a communicator, hence arrays are matched to headers by order
alone.

Nothing here blocks but `gather_facts`: a blocked `Recv` spins, and a rank that waits would take its
core from one that works (mpich, 16 ranks on 2 cores: 8.8 against 0.7 CPU-seconds with probing and a
back-off).
"""

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fastvid.errors import InputError
from fastvid.parallel.mpi.launch import check_launch, launched_by_srun
from fastvid.parallel.mpi.message import Content, Kind

if TYPE_CHECKING:  # importing it starts MPI
    from mpi4py import MPI

T = TypeVar("T")

# A probe takes in a part of what is there, and may find nothing while a header lies behind arrays
# (seen with mpich: the rank then slept beside its mail). After so many in vain there is none: they
# take in the 64 entries of a queue of UCX however slowly it begins. A probe takes 0.2 microseconds.
_PROBES_IN_VAIN = 16
# How long MPI may take to end all ranks, before an alarm ends this one: under srun, where it was
# never seen to, and under an mpirun, which may be held up by a rank that is stopped.
ABORT_PATIENCE_S = 0.5
MPIRUN_ABORT_PATIENCE_S = 20.0

_DTYPES = tuple(np.dtype(name) for name in ("uint8", "int64", "float32", "float64"))


@dataclass
class Sent:
    """A piece of a message on its way out. content: must be neither freed nor changed meanwhile."""

    request: "MPI.Request"
    content: np.ndarray

    def has_left(self) -> bool:
        """Whether it has left this rank."""
        return self.request.Test()


@dataclass
class Arriving:
    """A message whose header is here and whose arrays are on their way."""

    kind: Kind
    source: int
    job: int
    content: Content
    requests: "list[MPI.Request]" = field(repr=False)

    def complete(self) -> bool:
        """Whether all its arrays are here."""
        return all(request.Test() for request in self.requests)


class Transport:
    """MPI as one rank uses it.

    rank, size: as MPI counts them.
    """

    def __init__(self) -> None:
        from mpi4py import MPI

        self._world = MPI.COMM_WORLD
        self._headers = self._world.Dup()
        self._arrays = self._world.Dup()
        self._status = MPI.Status()
        self._byte, self._int64 = MPI.BYTE, MPI.INT64_T
        self._any_source, self._any_tag = MPI.ANY_SOURCE, MPI.ANY_TAG
        self.rank = self._world.Get_rank()
        self.size = self._world.Get_size()

    def gather_facts(self, fact: T) -> list[T]:
        """What each rank says here, in rank order; waits for all of them."""
        return self._world.allgather(fact)

    def send(self, dest: int, kind: Kind, job: int, content: Content) -> list[Sent]:
        """Begins to send a message; its pieces, the header first."""
        numbers = [job, len(content.header), *content.header, len(content.arrays)]
        arrays = [np.ascontiguousarray(array) for array in content.arrays]
        for array in arrays:
            numbers += [_DTYPES.index(array.dtype), array.ndim, *array.shape]
        packed = np.array(numbers, dtype=np.int64)
        sent = [Sent(self._headers.Isend(packed, dest=dest, tag=kind), packed)]
        for array in arrays:
            buffer = (array.reshape(-1).view(np.uint8), self._byte)
            sent.append(Sent(self._arrays.Isend(buffer, dest=dest, tag=kind), array))
        return sent

    def receive(self) -> list[Arriving]:
        """The messages whose headers have arrived since; receiving their arrays begins."""
        arriving, in_vain = [], 0
        while in_vain < _PROBES_IN_VAIN:
            probed = self._headers.Improbe(self._any_source, self._any_tag, self._status)
            if probed is None:
                in_vain += 1
                continue
            in_vain = 0
            source, kind = self._status.Get_source(), Kind(self._status.Get_tag())
            numbers = np.empty(self._status.Get_count(self._int64), dtype=np.int64)
            probed.Recv(numbers)
            arriving.append(self._begin(source, kind, numbers.tolist()))
        return arriving

    def _begin(self, source: int, kind: Kind, numbers: Sequence[int]) -> Arriving:
        """Begins to receive the arrays that a header announces."""
        job, length = numbers[:2]
        header = tuple(numbers[2 : 2 + length])
        arrays, requests = [], []
        at = 3 + length
        for _ in range(numbers[at - 1]):
            ndim = numbers[at + 1]
            array = np.empty(numbers[at + 2 : at + 2 + ndim], dtype=_DTYPES[numbers[at]])
            at += 2 + ndim
            buffer = (array.reshape(-1).view(np.uint8), self._byte)
            requests.append(self._arrays.Irecv(buffer, source=source, tag=kind))
            arrays.append(array)
        return Arriving(kind, source, job, Content(header, tuple(arrays)), requests)

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


def start_mpi() -> Transport:
    """Starts MPI in this process.

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
    return Transport()


def end_mpi() -> None:
    """Ends MPI in this process, which has started it."""
    from mpi4py import MPI

    if MPI.Is_initialized() and not MPI.Is_finalized():
        MPI.Finalize()
