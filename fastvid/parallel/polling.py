"""What every rank does at each turn of its main loop, rank 0 and the others alike."""

from collections.abc import Callable

from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.mpi.communicator import Communicator, Kind, Message
from fastvid.parallel.worker import Worker

_WORKER_KINDS = (
    Kind.FILM,
    Kind.SEGMENT,
    Kind.READ,
    Kind.SUCCESSOR,
    Kind.COMING,
    Kind.BOUNDARY,
    Kind.FETCH,
    Kind.ENCODE,
    Kind.PICTURES,
)


def poll_once(
    comm: Communicator, worker: Worker, heartbeats: Heartbeats, handle: Callable[[Message], bool]
) -> bool:
    """Reads the mail, lets the worker pass on what it has, and sends a heartbeat if it is time.

    handle: takes the messages that are not for the worker, and tells whether anything happened.
    Returns whether anything did. Raises RemoteError if a rank that this one listens to has fallen
    silent, and what `handle` raises.
    """
    active = False
    for message in comm.poll():
        heartbeats.noticed(message)
        if message.kind in _WORKER_KINDS:
            worker.handle(message)
            active = True
        else:
            active |= handle(message)
    active |= worker.step()
    heartbeats.step()
    return active
