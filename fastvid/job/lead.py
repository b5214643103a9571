"""Rank 0 at work: reads the messages, deals, computes along, watches over the others, until all
frames are stored and encoded or the run has to stop."""

import time
from collections.abc import Callable, Mapping

from fastvid.errors import Stopped
from fastvid.job.gather import Gatherer
from fastvid.parallel.coordinator import Coordinator
from fastvid.parallel.cut_search import CutSearch
from fastvid.parallel.dispatch import Dispatcher
from fastvid.parallel.encoders import EncodingRanks
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import Deadline
from fastvid.parallel.mpi.waiting import LEADER_SLEEP_S
from fastvid.parallel.polling import poll_once
from fastvid.parallel.worker import Worker

# How often the storing thread is told who was heard.
_NOTE_INTERVAL_S = 1.0


class Leader:
    """Rank 0's main thread, with all that it talks to.

    may_encode_here: asked whether rank 0 has time to encode, where others may. encoders: how many
    ranks of a host may encode at a time. cut_search: the ranks look for cuts, None: they do not.
    """

    def __init__(
        self,
        comm: Communicator,
        coordinator: Coordinator,
        worker: Worker,
        heartbeats: Heartbeats,
        gatherer: Gatherer,
        may_encode_here: Callable[[], bool],
        encoders: Mapping[str, int],
        cut_search: CutSearch | None = None,
    ) -> None:
        self._comm = comm
        self._coordinator = coordinator
        self._encoding_ranks = EncodingRanks(comm, gatherer.shared, coordinator, encoders)
        self._worker = worker
        self._heartbeats = heartbeats
        self._gatherer = gatherer
        self._may_encode_here = may_encode_here
        self._cut_search = cut_search
        self._dispatcher = Dispatcher(
            worker.receivers,
            heartbeats.receivers,
            coordinator.receivers,
            self._encoding_ranks.receivers,
            cut_search.receivers if cut_search is not None else (),
        )

    def lead(self, deadline: Deadline, check: Callable[[], None]) -> None:
        """Leads a job until every frame is stored and encoded.

        check: called again and again; it may raise. Raises Stopped if the run was asked to stop or
        its time is over, after what was at work has been gathered; RemoteError if a rank fails or
        falls silent, and what the gatherer's threads raised.
        """
        finishing = False
        noted = 0.0
        while not finishing or self._gatherer.alive():
            active = self._turn()
            self._gatherer.check()
            check()
            if self._coordinator.done and not finishing:
                finishing = True
                self._gatherer.finish()
            self._stop_in_time(deadline)
            if time.monotonic() - noted > _NOTE_INTERVAL_S:
                noted = time.monotonic()
                self._gatherer.note_ranks(self._heartbeats.rows())
                self._gatherer.leave_parts(not self._may_encode_here())
            if not active and (self._gatherer.alive() or not finishing):
                self._comm.rest(LEADER_SLEEP_S)
        self._gatherer.check()

    def _turn(self) -> bool:
        """Does what there is to do, without waiting; whether there was anything."""
        active = poll_once(self._comm, self._dispatcher, self._worker, self._heartbeats)
        # Who asks for work looks for cuts first, without which nothing can be dealt; or gets a part
        # of the video, if there is one.
        if self._cut_search is not None:
            active |= self._cut_search.step(self._coordinator)
        return active | self._encoding_ranks.step() | self._coordinator.step()

    def _stop_in_time(self, deadline: Deadline) -> None:
        """Deals nothing any more once the run has to stop. Raises Stopped when what was dealt is
        gathered, or the time for that is over."""
        reason = deadline.reason()
        if reason is not None:
            self._coordinator.stop_dealing()
            if deadline.passed() or self._coordinator.idle:
                raise Stopped(f"stopped by {reason}")
