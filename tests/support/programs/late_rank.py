"""Rank 0 begins and ends two jobs and leaves before the others have looked into their mailbox.

mpirun -n 3 python late_rank.py
"""

import sys
import time
from typing import cast

from fastvid.commands.serve import serve
from fastvid.parallel import messages
from fastvid.parallel.mpi.lifetime import connect
from fastvid.parallel.mpi.message import Quit
from fastvid.parallel.setup import JobSetup
from fastvid.stages.interface import Stages
from fastvid.stages.settings import PictureSettings

STATUS = 7
LATE_S = 1.0

SETTINGS = PictureSettings(
    flow="dis-fast",
    flow_scale=1.0,
    mask_boundaries=False,
    temporal_strength=0.5,
    strength=1.0,
    keep_colors=False,
    threads=1,
    processor="any",
)


class NoStages:
    """Nobody is dealt a segment."""


def main() -> int:
    comm = connect()
    if comm.rank != 0:
        time.sleep(LATE_S)
        return serve(comm, lambda setup: cast(Stages[None], NoStages()))
    setup = JobSetup(SETTINGS, ("tiny",), (b"no style",), lookahead=1, keep=(), rank_timeout_s=60.0)
    for _ in range(2):
        comm.begin_job()
        comm.send_all(messages.Setup(setup))
        comm.send_all(messages.End())
    comm.send_all(Quit(STATUS))
    return STATUS if comm.drain(patience_s=60.0) else 1


if __name__ == "__main__":
    sys.exit(main())
