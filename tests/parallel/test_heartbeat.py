"""Who is taken for dead, by a clock that is set: nobody who starts, nor after a break for all."""

from typing import cast

import pytest

from fastvid.errors import RemoteError
from fastvid.parallel import messages
from fastvid.parallel.dispatch import Dispatcher
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Body, Message
from fastvid.parallel.mpi.peer import Peer

TIMEOUT_S, START_S, STEP_S = 8.0, 30.0, 20.0


class Network:
    """Time, and what a rank sends to the others."""

    bytes_sent = 0

    def __init__(self, rank: int = 0, size: int = 3) -> None:
        self.now = 1000.0
        self.rank, self.size = rank, size
        self.peers = tuple(Peer(number, "node", 1, 1, 50 + number) for number in range(size))
        self.sent: list[int] = []

    def clock(self) -> float:
        return self.now

    def send(self, dest: int, body: Body) -> None:
        assert isinstance(body, messages.Heartbeat)
        self.sent.append(dest)


class WorkingEngine:
    """At a step that began at some time, if at any."""

    doing = "paint of frame 7"

    def __init__(self, network: Network) -> None:
        self._network = network
        self.step_began: float | None = None

    def step_seconds(self) -> float:
        return 0.0 if self.step_began is None else self._network.now - self.step_began


class Rank:
    """The heartbeats of a rank, looked after by the main loop."""

    def __init__(self, rank: int = 0) -> None:
        self.network = Network(rank)
        self.engine = WorkingEngine(self.network)
        self.met: list[float] = []
        self.heartbeats = Heartbeats(
            cast(Communicator, self.network),
            cast(Engine, self.engine),
            TIMEOUT_S,
            START_S,
            STEP_S,
            met=lambda: self.met.append(self.network.now),
            clock=self.network.clock,
        )
        self._dispatcher = Dispatcher(self.heartbeats.receivers)

    def hear(self, *ranks: int) -> None:
        for rank in ranks:
            self.heartbeats.note_sign_of_life(rank)
            self._dispatcher.handle(Message(rank, 1, messages.Heartbeat("paint of frame 4", 0)))

    def sleep(self, seconds: float) -> None:
        """The clock goes on, and nothing happens here."""
        self.network.now += seconds

    def work(self, seconds: float, *alive: int) -> None:
        """The main loop turns, and hears of these ranks all the time."""
        until = self.network.now + seconds
        while self.network.now < until:
            self.network.now += 0.125
            self.hear(*alive)
            self.heartbeats.step()


def test_a_rank_that_falls_silent_is_named() -> None:
    rank = Rank()
    rank.hear(1, 2)
    rank.work(TIMEOUT_S - 0.5, 1)
    with pytest.raises(RemoteError, match=r"rank 2 on node \(process 52\) has been silent") as told:
        rank.work(TIMEOUT_S, 1)
    assert "last heard of: paint of frame 4" in str(told.value)


def test_a_rank_may_take_long_to_start() -> None:
    """It is silent while it loads libraries; nobody waits for ever."""
    rank = Rank()
    rank.work(START_S - 1.0, 1)
    rank.heartbeats.note_sign_of_life(2)  # what is not a heartbeat is no beginning
    rank.work(START_S - 1.0, 1)
    with pytest.raises(RemoteError, match=r"rank 2 .* last heard of: starting"):
        rank.work(4.0, 1)


def test_rank_0_may_take_long_to_start() -> None:
    rank = Rank(rank=1)
    rank.work(START_S - 1.0)
    rank.hear(0)
    rank.work(TIMEOUT_S - 1.0)
    with pytest.raises(RemoteError, match="rank 0"):
        rank.work(4.0)


@pytest.mark.parametrize("mine", [0, 1])
@pytest.mark.parametrize("breaks", [1, 3])
def test_a_job_that_was_suspended_goes_on(mine: int, breaks: int) -> None:
    """Even if the others are slower to wake up than this rank."""
    rank = Rank(mine)
    others = {0, 1, 2} - {mine}
    rank.hear(*others)
    for _ in range(breaks):
        rank.sleep(1000 * TIMEOUT_S)
        rank.heartbeats.step()
    if breaks == 1:
        rank.work(TIMEOUT_S / 2)
    rank.work(2 * TIMEOUT_S, *others)
    with pytest.raises(RemoteError):
        rank.work(TIMEOUT_S + 4.0)


def test_a_step_may_take_longer_than_a_silence() -> None:
    """But not for ever; and time in which the job was suspended is none of it."""
    rank = Rank()
    rank.engine.step_began = rank.network.now
    rank.sleep(1000 * TIMEOUT_S)
    rank.work(STEP_S / 2, 1, 2)
    rank.network.sent.clear()
    rank.work(TIMEOUT_S / 2, 1, 2)
    assert rank.network.sent
    rank.work(STEP_S, 1, 2)
    rank.network.sent.clear()
    rank.work(TIMEOUT_S, 1, 2)
    assert not rank.network.sent  # now it is stuck


def test_it_is_told_once_that_all_ranks_have_met() -> None:
    rank = Rank()
    rank.hear(1)
    rank.heartbeats.note_sign_of_life(2)
    assert not rank.met
    rank.hear(2, 1, 2)
    assert rank.met == [rank.network.now]
