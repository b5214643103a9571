"""What the ranks other than 0 do: wait for a job or a training, take part, leave when told."""

from fastvid.parallel import messages
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Farewell, Quit
from fastvid.parallel.same_input import answer_look
from fastvid.parallel.serve import serve_job
from fastvid.parallel.setup import StageFactory, real_stages


def serve(comm: Communicator, make_stages: StageFactory = real_stages) -> int:
    """Takes part in job after job until rank 0 says to leave; returns the exit status it gave."""
    while True:
        message = comm.wait_for(messages.Setup, messages.Train, messages.Look, Quit)
        match message.body:
            case messages.Setup(setup):
                serve_job(comm, message.job, setup, make_stages)
            case messages.Look() as look:
                answer_look(comm, message.job, look)
            case messages.Train() as training:
                from fastvid.training.ranks import join_training

                status = join_training(comm, training)
                if status is not None:
                    return _leave(comm, status)
            case Quit(exit_status):
                return _leave(comm, exit_status)


def _leave(comm: Communicator, exit_status: int) -> int:
    comm.send(0, Farewell())
    comm.drain()
    return exit_status
