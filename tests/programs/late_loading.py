"""fastvid whose ranks, but for rank 0, are busy with something else for a while at first.

    mpirun -n 2 python late_loading.py ARGUMENTS...
"""

import os
import time

import fastvid.__main__ as program
from fastvid.parallel.communicator import FAILED_PATIENCE_S, Communicator
from fastvid.parallel.launch import launched_rank

LATE_S = FAILED_PATIENCE_S + 2.0
serve = program.serve


def serve_late(comm: Communicator) -> int:
    time.sleep(LATE_S)
    return serve(comm)


if __name__ == "__main__":
    if launched_rank(os.environ):
        program.serve = serve_late
    program.run()
