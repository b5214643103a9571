"""A job as the ranks other than 0 see it: from its setup until rank 0 ends it."""

from dataclasses import replace

from fastvid.errors import EXIT_FAILURE, FastvidError
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.logs import log_to
from fastvid.parallel.mpi.communicator import Communicator, Kind, Message
from fastvid.parallel.mpi.stopping import signals_stop
from fastvid.parallel.polling import poll_once
from fastvid.parallel.setup import JobSetup, StageFactory, real_stages
from fastvid.parallel.worker import Worker


def serve_job(
    comm: Communicator, setup_message: Message, make_stages: StageFactory = real_stages
) -> None:
    """Works on the job of a SETUP message until rank 0 ends it.

    Raises RemoteError if rank 0 falls silent.
    """
    comm.job = setup_message.job
    setup = replace(JobSetup.from_message(setup_message), local_rank=comm.local_rank)
    with log_to(setup.log_dir, setup.log_level, comm), signals_stop(comm):
        try:
            engine = Engine(make_stages(setup), comm.wake.set, setup.settings.overlap)
        except FastvidError as error:
            _fail_to_start(comm, str(error), error.exit_status)
            return
        except (ImportError, OSError, RuntimeError, MemoryError) as error:
            text = f"this rank can't start: {type(error).__name__}: {error}"
            _fail_to_start(comm, text, EXIT_FAILURE)
            return
        engine.start()
        try:
            _work(
                comm,
                Worker(
                    comm,
                    engine,
                    setup.lookahead,
                    setup.keep,
                    with_errors=setup.settings.overlap is not None,
                ),
                Heartbeats(comm, engine, setup.rank_timeout_s),
            )
        finally:
            engine.stop()


def _work(comm: Communicator, worker: Worker, heartbeats: Heartbeats) -> None:
    ended = False

    def note_end(message: Message) -> bool:
        nonlocal ended
        ended |= message.kind is Kind.END
        return ended

    while not ended:
        if not poll_once(comm, worker, heartbeats, note_end):
            comm.rest(worker.longest_sleep_s())


def _fail_to_start(comm: Communicator, text: str, exit_status: int) -> None:
    comm.send_text(0, Kind.FAILURE, text, [exit_status, 0])
    comm.wait_for(Kind.END)
