"""What the ranks other than 0 do: wait for a job or a training, take part, leave when told."""

from fastvid.parallel.mpi.communicator import Communicator, Kind
from fastvid.parallel.same_input import answer_look
from fastvid.parallel.serve import serve_job
from fastvid.parallel.setup import StageFactory, real_stages


def serve(comm: Communicator, make_stages: StageFactory = real_stages) -> int:
    """Takes part in job after job until rank 0 says to leave; returns the exit status it gave."""
    while True:
        message = comm.wait_for(Kind.SETUP, Kind.TRAIN, Kind.QUIT, Kind.LOOK)
        if message.kind is Kind.QUIT:
            return _leave(comm, message.header[0])
        if message.kind is Kind.SETUP:
            serve_job(comm, message, make_stages)
        elif message.kind is Kind.LOOK:
            answer_look(comm, message)
        else:
            from fastvid.training.ranks import join_training

            status = join_training(comm, message)
            if status is not None:
                return _leave(comm, status)


def _leave(comm: Communicator, exit_status: int) -> int:
    comm.send(0, Kind.FAREWELL)
    comm.drain()
    return exit_status
