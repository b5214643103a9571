"""What every rank does at each turn of its main loop, rank 0 and the others alike."""

from fastvid.parallel.dispatch import Dispatcher
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.worker import Worker


def poll_once(
    comm: Communicator, dispatcher: Dispatcher, worker: Worker, heartbeats: Heartbeats
) -> bool:
    """Reads the mail, lets the worker pass on what it has, and sends a heartbeat if it is time.

    dispatcher: knows the receivers of all that lives on this rank.
    Returns whether anything happened. Raises RemoteError if a rank that this one listens to has
    fallen silent, and what the receivers raise.
    """
    active = False
    for message in comm.poll():
        heartbeats.note_sign_of_life(message.source)
        active |= dispatcher.handle(message)
    active |= worker.step()
    heartbeats.step()
    return active
