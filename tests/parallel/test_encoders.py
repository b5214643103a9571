"""Which ranks rank 0 lets encode for it, without MPI."""

from collections.abc import Sequence
from typing import cast

from fastvid.encode.shared_encoding import SharedEncoding
from fastvid.parallel.dispatch import Dispatcher
from fastvid.parallel.encoders import EncodingRanks
from fastvid.parallel.messages import Encode, Encoded
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Body, Message
from fastvid.parallel.mpi.peer import Peer

HOSTS = ("a", "a", "a", "b", "b", "b", "c", "c")


class NotingCommunicator:
    """Notes who is asked to encode."""

    def __init__(self) -> None:
        self.peers = tuple(Peer(rank, host, 1, 1, 100) for rank, host in enumerate(HOSTS))
        self.asked: list[int] = []

    def send(self, dest: int, body: Body) -> None:
        assert isinstance(body, Encode)
        self.asked.append(dest)

    def outgoing_bytes(self) -> int:
        return 0


class AllWait:
    """All ranks but 0 have nothing else to do, and nothing is left to paint."""

    done = True

    def __init__(self) -> None:
        self._lent: set[int] = set()

    def waiting_ranks(self) -> Sequence[int]:
        return [rank for rank in range(1, len(HOSTS)) if rank not in self._lent]

    def borrow(self, rank: int) -> None:
        self._lent.add(rank)

    def give_back(self, rank: int) -> None:
        self._lent.remove(rank)


class ManyParts:
    """There is always another part."""

    threads, plan = 1, None

    def behind(self) -> bool:
        return False

    def lend(self) -> tuple[int, int]:
        return 0, 8

    def pictures(self) -> None:
        return None

    def arrived(self, part: tuple[int, int], content: bytes, last: bool) -> None:
        assert last


def test_no_host_encodes_more_parts_at_a_time_than_it_has_room_for() -> None:
    comm, parts = NotingCommunicator(), {0: cast(SharedEncoding, ManyParts())}
    ranks = EncodingRanks(cast(Communicator, comm), parts, AllWait(), {"a": 0, "b": 2})
    assert ranks.step()
    # Of a nobody, of b two of three, of c, of which nothing is known, all.
    assert sorted(comm.asked) == [3, 4, 6, 7]
    assert not ranks.step()
    Dispatcher(ranks.receivers).handle(Message(4, 1, Encoded(b"", True)))
    comm.asked.clear()
    assert ranks.step()
    # Who has waited longest; another one of b has to wait on.
    assert comm.asked == [4]
