"""A job as the ranks other than 0 see it: from its setup until rank 0 ends it."""

import threading
from dataclasses import replace

from fastvid.errors import EXIT_FAILURE, FastvidError
from fastvid.parallel import messages
from fastvid.parallel.dispatch import Dispatcher, receives
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.logs import log_to
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.polling import poll_once
from fastvid.parallel.setup import JobSetup, StageFactory, real_stages
from fastvid.parallel.worker import Worker


def serve_job(
    comm: Communicator, job: int, setup: JobSetup, make_stages: StageFactory = real_stages
) -> None:
    """Works on a job until rank 0 ends it. job, setup: of a `messages.Setup` from rank 0.

    Raises RemoteError if rank 0 falls silent.
    """
    comm.join_job(job)
    setup = replace(setup, local_rank=comm.local_rank)
    overlap = setup.settings.overlap
    with log_to(setup.log_dir, setup.log_level, comm):
        try:
            engine = Engine(make_stages(setup), comm.wake, overlap)
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
                    with_errors=overlap is not None,
                    planes=setup.planes(),
                    stage_to=setup.stage_to,
                ),
                Heartbeats(comm, engine, setup.rank_timeout_s),
            )
        finally:
            engine.stop()


def _work(comm: Communicator, worker: Worker, heartbeats: Heartbeats) -> None:
    ended = threading.Event()
    end = receives(messages.End, lambda _: ended.set())
    dispatcher = Dispatcher(worker.receivers, heartbeats.receivers, (end,))
    while not ended.is_set():
        if not poll_once(comm, dispatcher, worker, heartbeats):
            comm.rest(worker.longest_sleep_s())


def _fail_to_start(comm: Communicator, text: str, exit_status: int) -> None:
    comm.send(0, messages.Failure(text, exit_status))
    comm.wait_for(messages.End)
