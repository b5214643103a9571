"""fastvid whose ranks, but for rank 0, are busy when rank 0 sends them home, as while they load
libraries, and for a while after that.

    FASTVID_TEST_LATE="SECONDS FOLDER" mpirun -n 2 python late_loading.py ARGUMENTS...

In the folder rank 0 makes `sent-home` when it sends the others home, and these `left` when they
leave by themselves. Rank 0 paints slowly: it does not get through alone.
"""

import os
import time
from pathlib import Path
from unittest import mock

import numpy as np

import fastvid.__main__ as program
import fastvid.commands.serve as serving
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.launch import launched_rank
from fastvid.stages.repaint import Repaint

POLL_S = 0.02
PAINT_S = 0.4

_paint = Repaint.paint
_send_home = Communicator.send_home
_serve = serving.serve
_seconds, _, _name = os.environ["FASTVID_TEST_LATE"].partition(" ")
_sent_home, _left = Path(_name) / "sent-home", Path(_name) / "left"


def _serve_late(comm: Communicator) -> int:
    while not _sent_home.exists():
        time.sleep(POLL_S)
    time.sleep(float(_seconds))
    status = _serve(comm)
    _left.touch()
    return status


def _send_home_and_tell(comm: Communicator, exit_status: int, patience_s: float) -> bool:
    _sent_home.touch()
    return _send_home(comm, exit_status, patience_s)


def _paint_slowly(stages: Repaint, frame: np.ndarray) -> np.ndarray:
    time.sleep(PAINT_S)
    return _paint(stages, frame)


if __name__ == "__main__":
    if launched_rank(os.environ):
        mock.patch.object(serving, "serve", _serve_late).start()
    else:
        mock.patch.object(Repaint, "paint", _paint_slowly).start()
        mock.patch.object(Communicator, "send_home", _send_home_and_tell).start()
    program.run()
