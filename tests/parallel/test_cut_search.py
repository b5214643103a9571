"""Which ranks rank 0 lets look for cuts, and what comes of it, without MPI."""

import threading
from collections.abc import Sequence
from typing import cast

import pytest

from fastvid.decode.frame import NO_IMAGE, Frame
from fastvid.parallel import messages
from fastvid.parallel.cut_search import CutSearch
from fastvid.parallel.dispatch import Dispatcher
from fastvid.parallel.engine.reading import CutsRequest, FoundCuts
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Body, Message
from support.launching import TIMEOUT_S

FRAMES = [Frame(number, NO_IMAGE, 40 * number, 40) for number in range(75)]
PART = 8
CUTS = {0, 7, 8, 40, 74}


class Ranks:
    """Rank 0 and others, of which some wait for work."""

    size = 3
    done = False

    def __init__(self, *waiting: int, frame_count: int = len(FRAMES)) -> None:
        self.frame_count = frame_count
        self._waiting = list(waiting)
        self.asked: list[tuple[int, CutsRequest]] = []

    def send(self, dest: int, body: Body) -> None:
        assert isinstance(body, messages.FindCuts)
        self.asked.append((dest, body.request))

    def wake(self) -> None:
        pass

    def waiting_ranks(self) -> Sequence[int]:
        return tuple(self._waiting)

    def borrow(self, rank: int) -> None:
        self._waiting.remove(rank)

    def give_back(self, rank: int) -> None:
        assert rank not in self._waiting
        self._waiting.append(rank)

    def answer(self, dispatcher: Dispatcher) -> None:
        """Whoever was asked first tells what it has found."""
        rank, request = self.asked.pop(0)
        assert request.first == max(0, request.start - 3)
        numbers = range(request.start, request.stop)
        cuts = tuple(number for number in numbers if number in CUTS)
        assert request.end == min(self.frame_count, request.stop + 2)
        found = FoundCuts(request.start, cuts, tuple(-number for number in numbers))
        dispatcher.handle(Message(rank, 1, messages.CutsFound(found)))


class Reader(threading.Thread):
    """Takes the frames as they are marked."""

    def __init__(self, search: CutSearch) -> None:
        super().__init__(daemon=True)
        self.marked: list[tuple[int, int | None, bool]] = []
        self._frames = search.marked(FRAMES)

    def run(self) -> None:
        for frame, begins in self._frames:
            self.marked.append((frame.index, frame.checksum, begins))


@pytest.mark.parametrize("answered_last", [False, True])
def test_the_ranks_find_the_cuts_of_the_whole_film(answered_last: bool) -> None:
    ranks = Ranks(1, 2)
    search = CutSearch(cast(Communicator, ranks), len(FRAMES), PART)
    dispatcher, reader = Dispatcher(search.receivers), Reader(search)
    reader.start()
    for _ in range(1000 * len(FRAMES)):
        search.step(ranks)
        if len(ranks.asked) == 2 and answered_last:  # the later part first
            ranks.asked.reverse()
        if ranks.asked:
            ranks.answer(dispatcher)
        reader.join(0.001)
        if not reader.is_alive():
            break
    assert reader.marked == [(frame.index, -frame.index, frame.index in CUTS) for frame in FRAMES]
    search.step(ranks)
    assert sorted(ranks.waiting_ranks()) == [1, 2] and not ranks.asked


def test_they_do_not_look_further_than_is_needed_before_long() -> None:
    """A long film would keep everybody from painting."""
    ranks = Ranks(1, 2, frame_count=10**6)
    search = CutSearch(cast(Communicator, ranks), ranks.frame_count, PART)
    dispatcher, given = Dispatcher(search.receivers), 0
    while search.step(ranks):
        while ranks.asked:
            given += 1
            ranks.answer(dispatcher)
    assert sorted(ranks.waiting_ranks()) == [1, 2]
    assert 0 < given <= 3 * ranks.size


def test_nobody_is_waited_for_at_the_end() -> None:
    search = CutSearch(cast(Communicator, Ranks()), len(FRAMES), PART)
    reader = Reader(search)
    reader.start()
    search.end()
    reader.join(TIMEOUT_S)
    assert not reader.is_alive() and not reader.marked
