"""Rank 0 at work: reads the messages, deals, computes along, watches over the others, until all
frames are stored and encoded or the run has to stop."""

import time
from collections.abc import Callable

from fastvid.errors import Stopped
from fastvid.job.fanout import FanOut
from fastvid.parallel.coordinator import Coordinator
from fastvid.parallel.dispatch import Dispatcher
from fastvid.parallel.encoders import EncodingRanks
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import Deadline
from fastvid.parallel.mpi.waiting import LEADER_SLEEP_S
from fastvid.parallel.polling import poll_once
from fastvid.parallel.worker import Worker

_SHOW_INTERVAL_S = 0.2


def lead(
    comm: Communicator,
    coordinator: Coordinator,
    worker: Worker,
    heartbeats: Heartbeats,
    sink: FanOut,
    deadline: Deadline,
    show: Callable[[], None],
) -> None:
    """Leads a job until every frame is stored and encoded.

    show: called some times a second. Raises Stopped if the run was asked to stop or its time is
    over, after what was at work has been gathered; RemoteError if a rank fails or falls silent, and
    what the sink's threads raised.
    """
    encoding_ranks = EncodingRanks(comm, sink.shared)
    dispatcher = Dispatcher(
        worker.receivers, heartbeats.receivers, coordinator.receivers, encoding_ranks.receivers
    )
    finishing = False
    shown = 0.0

    while not finishing or sink.alive():
        active = poll_once(comm, dispatcher, worker, heartbeats)
        active |= coordinator.step() | encoding_ranks.step()
        sink.check()
        if coordinator.done and not finishing:
            finishing = True
            sink.finish()
        reason = deadline.reason()
        if reason is not None:
            coordinator.stop_dealing()
            if deadline.passed() or coordinator.idle:
                raise Stopped(f"stopped by {reason}")
        if time.monotonic() - shown > _SHOW_INTERVAL_S:
            shown = time.monotonic()
            sink.note_ranks(heartbeats.rows())
            show()
        if not active and (sink.alive() or not finishing):
            comm.rest(LEADER_SLEEP_S)
    sink.check()
