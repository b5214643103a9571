"""What a worker says and does at each message, without MPI and without threads."""

import threading
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pytest

from fastvid.parallel import messages, segment_messages
from fastvid.parallel.dealer import NOBODY
from fastvid.parallel.dispatch import Dispatcher
from fastvid.parallel.encoders import EncodingRanks, Lender
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.task import LastFrame, LastRows, Place, Task
from fastvid.parallel.engine.threads import Failed
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Body, Message
from fastvid.parallel.mpi.peer import Peer
from fastvid.parallel.worker import Worker
from fastvid.stages.interface import Motion

RANKS = 3


def image(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


class SilentCommunicator:
    """Notes what is sent, and to whom."""

    rank, size, rung_by_all, bytes_sent = 1, RANKS, False, 77

    def __init__(self) -> None:
        self.sent: list[tuple[int, Body]] = []
        self.peers = tuple(Peer(rank, f"node{rank}", 1, 1, 100 + rank) for rank in range(RANKS))
        self.wake = threading.Event().set

    def send(self, dest: int, body: Body) -> None:
        self.sent.append((dest, body))

    def said(self) -> list[tuple[int, Body]]:
        """What was sent since somebody asked last."""
        sent, self.sent = self.sent, []
        return sent


class NoStages:
    """The engine is never started."""

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[None] | None:
        raise AssertionError

    def paint(self, frame: np.ndarray) -> np.ndarray:
        raise AssertionError

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[None]) -> np.ndarray:
        raise AssertionError


class NotingEngine(Engine):
    """Notes the tasks that it is given."""

    def __init__(self, wake: Callable[[], object]) -> None:
        super().__init__(NoStages(), wake)
        self.tasks: list[Task] = []

    def add(self, task: Task) -> None:
        self.tasks.append(task)
        super().add(task)


class Rank:
    """A worker with its engine and its mailbox."""

    def __init__(self, lookahead: int = 2) -> None:
        self.comm = SilentCommunicator()
        self.engine = NotingEngine(self.comm.wake)
        comm = cast(Communicator, self.comm)
        self.worker = Worker(comm, self.engine, lookahead, with_errors=True)
        self._dispatcher = Dispatcher(self.worker.receivers)

    def hear(self, source: int, body: Body) -> None:
        assert self._dispatcher.handle(Message(source, 1, body))

    def finish(self, index: int, value: int) -> Task:
        """As the engine does with a segment of one frame."""
        task = Task(index, index, [image(0)], None, motions=[None], errors=[0.5])
        task.finished.append(image(value)[None])
        self.engine.events.put(LastFrame(index, task.finished[-1]))
        self.engine.events.put(task)
        return task


@pytest.fixture
def rank() -> Iterator[Rank]:
    rank = Rank()
    yield rank
    rank.engine.stop()


def boundaries(sent: list[tuple[int, Body]]) -> list[tuple[int, int, int]]:
    """(to whom, of which segment, value) of the boundary frames among what was sent."""
    return [
        (dest, body.segment, int(body.image.flat[0]))
        for dest, body in sent
        if isinstance(body, segment_messages.Boundary)
    ]


def test_work_is_asked_for_once_and_again_after_it_came(rank: Rank) -> None:
    assert rank.worker.step() and not rank.worker.step()
    assert rank.comm.said() == [(0, segment_messages.Request())]
    rank.hear(0, segment_messages.Segment(Place(4, 8, 9, group=4), (image(1),)))
    assert rank.engine.heavy_frames_left() == 1
    rank.worker.step()
    assert rank.comm.said() == [(0, segment_messages.Request())]


def test_a_rank_that_holds_enough_does_not_ask() -> None:
    rank = Rank(lookahead=1)
    rank.hear(0, segment_messages.Segment(Place(4, 8, 9, group=4), (image(1),)))
    rank.worker.step()
    assert rank.comm.said() == []
    rank.engine.stop()


@pytest.mark.parametrize("known_before", [True, False])
def test_the_last_frame_goes_to_the_successor(rank: Rank, known_before: bool) -> None:
    if known_before:
        rank.hear(0, segment_messages.Successor(4, 2))
    rank.finish(4, 99)
    rank.worker.step()
    if not known_before:
        assert boundaries(rank.comm.said()) == []
        rank.hear(0, segment_messages.Successor(4, 2))
    assert boundaries(rank.comm.said()) == [(2, 5, 99)]


def test_a_last_frame_that_nobody_needs_is_dropped(rank: Rank) -> None:
    rank.finish(4, 99)
    rank.worker.step()
    rank.hear(0, segment_messages.Successor(4, NOBODY))
    assert boundaries(rank.comm.said()) == []


@pytest.mark.parametrize("early", [True, False])
def test_a_boundary_frame_finds_its_segment(rank: Rank, early: bool) -> None:
    """It may come before the segment does."""
    segment = segment_messages.Segment(Place(4, 8, 9, has_halo=True, group=4), (image(1), image(2)))
    boundary = segment_messages.Boundary(4, image(50)[None])
    for source, body in ((2, boundary), (0, segment)) if early else ((0, segment), (2, boundary)):
        rank.hear(source, body)
    (task,) = rank.engine.tasks
    assert task.boundary is boundary.image and task.halo is segment.images[0]


def test_the_last_frame_may_go_in_parts(rank: Rank) -> None:
    """Those that were finished before its successor was known, and the others as they come."""
    finished, height = tall(50, 60), HEIGHT
    for first, stop in ((0, 3), (3, 4), (4, height)):
        rank.engine.events.put(LastRows(4, first, finished[:, first:stop], height))
        rank.worker.step()
        if first == 3:
            assert boundaries(rank.comm.said()) == []
            rank.hear(0, segment_messages.Successor(4, 2))
    sent = [body for dest, body in rank.comm.said() if isinstance(body, segment_messages.Boundary)]
    assert [(body.segment, body.first, body.height) for body in sent] == [
        (5, 0, height),
        (5, 3, height),
        (5, 4, height),
    ]
    assert np.array_equal(np.concatenate([body.image for body in sent], axis=1), finished)


@pytest.mark.parametrize("parts_before", [0, 1, 2, 3])
@pytest.mark.parametrize("known", [(), (1,)])
def test_a_boundary_frame_may_come_in_parts(
    rank: Rank, known: tuple[int, ...], parts_before: int
) -> None:
    """Before the segment or after it; parts are not used where a style comes from elsewhere."""
    finished, height = tall(50, 60), HEIGHT
    if known:
        rank.hear(0, segment_messages.Boundary(4, tall(70), styles=known))
    for number, (first, stop) in enumerate(((0, 3), (3, 4), (4, height))):
        if number == parts_before:
            take_on(rank)
        part = segment_messages.Boundary(4, finished[:, first:stop].copy(), first, height)
        rank.hear(2, part)
        if number == 1 and parts_before <= 1:
            (task,) = rank.engine.tasks
            assert task.boundary is None and (task.arriving is None) == bool(known)
            assert known or (task.arriving and task.arriving.rows == 4)
    if parts_before == 3:
        take_on(rank)
    (task,) = rank.engine.tasks
    assert task.boundary is not None
    if known:
        finished[1] = tall(70)[0]
    assert np.array_equal(task.boundary, finished)


HEIGHT = 6


def tall(*values: int) -> np.ndarray:
    """A finished frame in some styles; no two of its rows are alike."""
    rows = [[row + value] * 6 for value in values for row in range(HEIGHT)]
    return np.array(rows, np.uint8).reshape(len(values), HEIGHT, 2, 3)


def take_on(rank: Rank) -> None:
    place = Place(4, 8, 9, has_halo=True, group=4)
    rank.hear(0, segment_messages.Segment(place, (image(1), image(2))))


@pytest.mark.parametrize("early", [True, False])
def test_a_style_takes_the_frame_that_an_earlier_run_finished(rank: Rank, early: bool) -> None:
    """The others take that of the rank before, which keeps its own as it was."""
    segment = segment_messages.Segment(Place(4, 8, 9, has_halo=True, group=4), (image(1), image(2)))
    computed = segment_messages.Boundary(4, np.stack([image(50), image(60)]))
    rank.hear(0, segment_messages.Boundary(4, image(70)[None], styles=(1,)))
    for source, body in ((2, computed), (0, segment)) if early else ((0, segment), (2, computed)):
        rank.hear(source, body)
    (task,) = rank.engine.tasks
    assert task.boundary is not None
    assert np.array_equal(task.boundary, np.stack([image(50), image(70)]))
    assert np.array_equal(computed.image[1], image(60))


def test_a_result_is_kept_until_it_is_fetched(rank: Rank) -> None:
    rank.hear(0, segment_messages.Segment(Place(4, 4, 5, group=4), (image(1),)))
    task = rank.finish(4, 99)
    rank.worker.step()
    assert (0, segment_messages.Finished(4)) in rank.comm.said()
    rank.hear(0, segment_messages.Fetch(4))
    ((dest, result),) = rank.comm.said()
    assert dest == 0 and isinstance(result, segment_messages.Result)
    assert result.segment == 4 and result.errors == (0.5,) and result.times == task.times
    assert result.frames == tuple(task.finished) and result.flows == result.occlusions == ()


def test_a_failure_is_told_to_rank_0(rank: Rank) -> None:
    rank.engine.events.put(Failed("paint of frame 3: no memory", 2, order_needed=True))
    rank.worker.step()
    assert (0, messages.Failure("paint of frame 3: no memory", 2, True)) in rank.comm.said()


def test_heartbeats_go_to_rank_0_and_are_heard(rank: Rank) -> None:
    heartbeats = Heartbeats(cast(Communicator, rank.comm), rank.engine, timeout_s=60.0)
    heartbeats.step()
    assert rank.comm.said() == [(0, messages.Heartbeat("waiting", 77))]
    Dispatcher(heartbeats.receivers).handle(Message(2, 1, messages.Heartbeat("painting", 5)))
    assert [row[4:] for row in heartbeats.rows()] == [
        ("starting", 0),
        ("waiting", 77),
        ("painting", 5),
    ]


def test_all_that_lives_on_rank_0_fits_into_one_table(rank: Rank) -> None:
    comm = cast(Communicator, rank.comm)
    heartbeats = Heartbeats(comm, rank.engine, timeout_s=60.0)
    encoding = EncodingRanks(comm, {}, cast(Lender, None), {})
    Dispatcher(rank.worker.receivers, heartbeats.receivers, encoding.receivers)
