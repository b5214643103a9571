"""What the ranks other than 0 do, whether they were started from the command line or from Python:
wait for a job or a training, take part, leave when told."""

from fastvid.parallel import messages
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Quit
from fastvid.parallel.same_input import answer_look
from fastvid.parallel.serve import serve_job
from fastvid.parallel.setup import StageFactory, real_stages


def take_part(comm: Communicator, make_stages: StageFactory = real_stages) -> Quit:
    """Takes part in job after job until rank 0 says to leave, and tells it that this rank does;
    returns how it said so."""
    dismissal = _work_until_dismissed(comm, make_stages)
    comm.say_farewell()
    return dismissal


def serve(comm: Communicator, make_stages: StageFactory = real_stages) -> int:
    """As `take_part`; returns the exit status that rank 0 gave."""
    return take_part(comm, make_stages).exit_status


def _work_until_dismissed(comm: Communicator, make_stages: StageFactory) -> Quit:
    while True:
        message = comm.wait_for(messages.Setup, messages.Train, messages.Look, Quit)
        match message.body:
            case Quit() as dismissal:
                return dismissal
            case messages.Setup(setup):
                serve_job(comm, message.job, setup, make_stages)
            case messages.Look() as look:
                answer_look(comm, message.job, look)
            case messages.Train() as training:
                # torch takes two seconds to import: only those who train pay for it here.
                from fastvid.training.ranks import join_training

                status = join_training(comm, training)
                if status is not None:
                    return Quit(status)
