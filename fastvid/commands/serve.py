"""What the ranks other than 0 do, whether they were started from the command line or from Python:
wait for a job or a training, take part, leave when told."""

from dataclasses import dataclass

from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Kind, Message
from fastvid.parallel.same_input import answer_look
from fastvid.parallel.serve import serve_job
from fastvid.parallel.setup import StageFactory, real_stages


@dataclass(frozen=True)
class Dismissal:
    """Rank 0 has said to leave: with which exit status, and why if that is not 0."""

    exit_status: int
    reason: str = ""


def take_part(comm: Communicator, make_stages: StageFactory = real_stages) -> Dismissal:
    """Takes part in job after job until rank 0 says to leave."""
    while True:
        message = comm.wait_for(Kind.SETUP, Kind.TRAIN, Kind.QUIT, Kind.LOOK)
        if message.kind is Kind.QUIT:
            return _dismissal(message)
        if message.kind is Kind.SETUP:
            serve_job(comm, message, make_stages)
        elif message.kind is Kind.LOOK:
            answer_look(comm, message)
        else:
            # torch takes two seconds to import: only those who train pay for it here.
            from fastvid.training.ranks import join_training

            status = join_training(comm, message)
            if status is not None:
                return Dismissal(status)


def serve(comm: Communicator, make_stages: StageFactory = real_stages) -> int:
    """As `take_part`, and tells rank 0 that this rank leaves; returns the exit status it gave."""
    dismissal = take_part(comm, make_stages)
    comm.send(0, Kind.FAREWELL)
    comm.drain()
    return dismissal.exit_status


def _dismissal(message: Message) -> Dismissal:
    return Dismissal(message.header[0], message.text() if message.arrays else "")
