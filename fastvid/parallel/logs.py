"""Log files: one a rank, on demand, each line with time, rank and host."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastvid.errors import InputError
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.log_file import LogFile

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@contextmanager
def log_to(folder: str | None, level: str, comm: Communicator) -> Iterator[None]:
    """Within the block, what fastvid logs on this rank goes to `rank-NNNN.log` in `folder`.

    folder: created if it is not there; None for no log. Raises InputError if it can't be written.
    """
    if folder is None:
        yield
        return
    path = Path(folder) / f"rank-{comm.rank:04d}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = LogFile(path)  # the main thread logs, and must not wait for a disk
    except OSError as error:
        raise InputError(
            f"Can't write the log {path}: {error.strerror}. Use another --log-dir."
        ) from error
    host = comm.peers[comm.rank].host
    handler.setFormatter(
        logging.Formatter(
            f"%(asctime)s.%(msecs)03d rank {comm.rank} {host} %(levelname)s %(name)s: %(message)s",
            datefmt="%Y-%m-%dT%H:%M:%S",
        )
    )
    logger = logging.getLogger("fastvid")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        logger.info("process %d begins, %d ranks", os.getpid(), comm.size)
        yield
        logger.info("the job is over")
    except BaseException as error:
        for line in f"the job ends: {type(error).__name__}: {error}".splitlines():
            logger.error("%s", line)
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()
