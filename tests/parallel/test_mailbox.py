"""What a mailbox keeps, drops and passes on, without MPI (test_communicator.py has it with)."""

from collections import deque
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from fastvid.parallel import messages, segment_messages
from fastvid.parallel.mpi.bell import Bell, Doorbells
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.meeting import Meeting, meet
from fastvid.parallel.mpi.message import Body, Content, Farewell, Kind, Quit, Stop
from fastvid.parallel.mpi.network import Place
from fastvid.parallel.mpi.peer import Peer, local_ranks
from fastvid.parallel.mpi.transport import Arriving, Sent, Transport
from fastvid.parallel.mpi.waiting import Waiting


class Piece(Sent):
    """A piece of a message that stays on its way until it is `free`."""

    def __init__(self, content: np.ndarray, free: bool) -> None:
        self.content, self.free = content, free

    def has_left(self) -> bool:
        return self.free


class Envelope(Arriving):
    """A message that arrives; its arrays are there if it is `whole`."""

    def __init__(self, source: int, job: int, body: Body, whole: bool = True) -> None:
        super().__init__(body.kind, source, job, body.pack(), [])
        self.whole = whole

    def complete(self) -> bool:
        return self.whole


class Wire:
    """In the place of MPI. at_once: what is sent leaves at once. facts: what the other ranks say
    when all meet."""

    def __init__(self, rank: int = 0, size: int = 3) -> None:
        self.rank, self.size = rank, size
        self.arriving: deque[Envelope] = deque()
        self.sent: list[tuple[int, Kind, int]] = []
        self.pieces: list[Piece] = []
        self.at_once = False
        self.facts: list[list[object]] = []

    def send(self, dest: int, kind: Kind, job: int, content: Content) -> list[Piece]:
        self.sent.append((dest, kind, job))
        arrays = (np.zeros(1, np.int64), *content.arrays)
        pieces = [Piece(array, self.at_once) for array in arrays]
        self.pieces += pieces
        return pieces

    def receive(self) -> list[Envelope]:
        arriving, self.arriving = list(self.arriving), deque()
        return arriving

    def gather_facts(self, fact: object) -> list[object]:
        return [fact, *self.facts.pop(0)]


def without_bells(count: int) -> list[list[object]]:
    """What so many other ranks say whom nobody can ring, over a network either."""
    elsewhere = Place(("elsewhere", 0), 0, ())
    return [[0] * count, [elsewhere] * count, [b""] * count, [{}] * count, [0] * count]


def mailbox(wire: Wire, bell: Bell) -> Communicator:
    peers = tuple(Peer(rank, "node", 1, 1, rank) for rank in range(wire.size))
    meeting = Meeting(peers, Doorbells({}), rung_by_all=False)
    return Communicator(cast(Transport, wire), bell, meeting, Waiting(bell, rung_by_all=False))


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def comm(wire: Wire, bell: Bell) -> Communicator:
    return mailbox(wire, bell)


def bodies(comm: Communicator) -> list[tuple[int, Body]]:
    return [(message.source, message.body) for message in comm.poll()]


def test_what_an_earlier_job_has_left_is_dropped(wire: Wire, comm: Communicator) -> None:
    comm.begin_job()
    comm.begin_job()
    wire.arriving.extend(
        Envelope(1, job, body)
        for job in (1, 2)
        for body in (segment_messages.Finished(10 * job), messages.Look("film.mp4"))
    )
    assert bodies(comm) == [
        (1, messages.Look("film.mp4")),  # counts in whatever job
        (1, segment_messages.Finished(20)),
        (1, messages.Look("film.mp4")),
    ]
    comm.send(1, segment_messages.Fetch(20))
    assert wire.sent == [(1, Kind.FETCH, 2)]


def test_what_comes_behind_a_turning_point_waits(wire: Wire, comm: Communicator) -> None:
    """Of the same rank: it is for whatever begins there. Others go on."""
    wire.arriving.extend(
        [
            Envelope(0, 0, messages.End()),
            Envelope(0, 0, Quit(3)),
            Envelope(2, 0, segment_messages.Request()),
        ]
    )
    assert bodies(comm) == [(0, messages.End()), (2, segment_messages.Request())]
    assert bodies(comm) == [(0, Quit(3))]


def test_messages_of_a_rank_keep_their_order(wire: Wire, comm: Communicator) -> None:
    """A small one does not overtake one whose frames are still on their way."""
    slow = Envelope(1, 0, segment_messages.Boundary(4, np.zeros(9, np.uint8)), whole=False)
    wire.arriving.extend(
        [
            slow,
            Envelope(1, 0, segment_messages.Finished(4)),
            Envelope(2, 0, segment_messages.Finished(5)),
        ]
    )
    assert bodies(comm) == [(2, segment_messages.Finished(5))]
    assert bodies(comm) == []
    slow.whole = True
    first, second = comm.poll()
    assert isinstance(
        first.body, segment_messages.Boundary
    ) and second.body == segment_messages.Finished(4)


def test_what_is_sent_is_kept_until_it_has_left(wire: Wire, comm: Communicator) -> None:
    comm.send(1, segment_messages.Boundary(4, np.zeros(1000, np.uint8)))
    assert comm.sending() and comm.outgoing_bytes() == 1008 and comm.bytes_sent == 1000
    for piece in wire.pieces:
        piece.free = True
    assert not comm.sending() and comm.outgoing_bytes() == 0


def test_a_rank_that_is_asked_to_stop_tells_rank_0_once(bell: Bell) -> None:
    wire = Wire(rank=2)
    comm = mailbox(wire, bell)
    comm.ask_to_stop("SIGTERM")
    comm.ask_to_stop("SIGUSR1")
    assert comm.poll() == [] and comm.poll() == []
    assert wire.sent == [(0, Kind.STOP, 0)]
    assert comm.stop_reason == "SIGTERM" and comm.stop_asked_at is not None


def test_rank_0_notes_a_stop_and_passes_it_on_to_nobody(wire: Wire, comm: Communicator) -> None:
    wire.arriving.append(Envelope(2, 7, Stop("SIGTERM on rank 2")))
    assert comm.poll() == [] and wire.sent == []
    assert comm.stop_reason == "SIGTERM on rank 2"


@pytest.mark.parametrize("missing", [(), (2,)])
def test_rank_0_waits_for_every_farewell(
    missing: tuple[int, ...], wire: Wire, comm: Communicator
) -> None:
    wire.at_once = True
    wire.arriving.extend(Envelope(rank, 0, Farewell()) for rank in (1, 2) if rank not in missing)
    assert comm.send_home(0, patience_s=0.0 if missing else 60.0) == (not missing)
    assert wire.sent == [(1, Kind.QUIT, 0), (2, Kind.QUIT, 0)]


def test_a_peer_says_who_it_is(comm: Communicator) -> None:
    assert [str(peer) for peer in comm.peers] == [f"rank {rank} on node" for rank in range(3)]


def test_ranks_on_the_same_cores_share_them(bell: Bell) -> None:
    """Ranks bound apart do not, nor do those of another host."""
    wire = Wire(size=4)
    others = [
        ("b", (0, 1, 2, 3), 4, 1 << 30, 11, "", ""),
        ("b", (0, 1, 2, 3), 4, 1 << 30, 12, "", ""),
    ]
    wire.facts = [[*others, ("b", (4, 5), 2, 1 << 30, 13, "", "")], *without_bells(3)]
    meeting = meet(cast(Transport, wire), bell)
    assert [peer.cores for peer in meeting.peers[1:]] == [2, 2, 2]
    assert [peer.rank for peer in meeting.peers] == [0, 1, 2, 3]
    assert [peer.pid for peer in meeting.peers[1:]] == [11, 12, 13]
    assert not meeting.rung_by_all
    meeting.doorbells.close()


def test_thousands_of_ranks_meet(bell: Bell) -> None:
    """On hosts of two kinds, bound to groups of cores or to all; each is counted by itself."""
    random, size = np.random.default_rng(0), 4096
    places = []
    for _ in range(size):
        host, group = int(random.integers(0, 40)), int(random.integers(0, 4))
        cores = tuple(range(128)) if host % 2 else tuple(range(32 * group, 32 * group + 32))
        places.append((f"node{host}", cores))
    wire = Wire(size=size)
    # What this process says of itself takes the place of the first one.
    said: list[object] = [(*place, len(place[1]), 1 << 30, 7, "", "") for place in places[1:]]
    wire.facts = [said, *without_bells(size - 1)]
    meeting = meet(cast(Transport, wire), bell)
    meeting.doorbells.close()
    for place, peer in zip(places[1::7], meeting.peers[1::7], strict=True):
        assert peer.host == place[0]
        assert peer.cores == max(1, len(place[1]) // places[1:].count(place))
    hosts = [peer.host for peer in meeting.peers]
    assert local_ranks(meeting.peers) == [hosts[:rank].count(hosts[rank]) for rank in range(size)]


def test_farewells_that_come_late_are_not_those_of_the_next_time(
    wire: Wire, comm: Communicator
) -> None:
    """The Python interface sends all home after every call."""
    wire.at_once = True
    wire.arriving.append(Envelope(1, 0, Farewell()))
    assert not comm.send_home(0, patience_s=0.0)
    wire.arriving.extend([Envelope(1, 0, Farewell()), Envelope(2, 0, Farewell())])
    assert not comm.send_home(0, patience_s=0.0)
    wire.arriving.append(Envelope(2, 0, Farewell()))
    assert comm.wait_for_farewells(patience_s=60.0)


def test_a_mailbox_gives_its_bells_back(wire: Wire) -> None:
    """A thread that is left behind may still want to wake it."""
    bell = Bell()
    comm = mailbox(wire, bell)
    for _ in range(2):
        comm.close()
    comm.wake()
    assert Doorbells({1: bell.name}).ranks == frozenset()
