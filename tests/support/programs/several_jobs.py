"""Runs several command lines of fastvid one after the other on the ranks of one mpirun.

    mpirun -n 3 python several_jobs.py JOBS.json       # a list of lists of arguments

With FASTVID_TEST_BAND_PX the temporal pass takes bands of so many pixels, as it does in large
frames. With FASTVID_TEST_AUTO `--decode auto` is for few ranks, too.

Starting Python and torch on every rank takes longer than these small jobs. Painting takes a random
time here, other on every rank, so that the segments are finished in many orders.
"""

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from fastvid.commands.cli import run_command_line
from fastvid.commands.serve import serve
from fastvid.job import decoding
from fastvid.parallel.engine import bands
from fastvid.parallel.mpi.lifetime import connect
from fastvid.parallel.mpi.message import Quit
from fastvid.stages.recurrent import RecurrentRepaint
from fastvid.stages.repaint import Repaint

LONGEST_DELAY_S = 0.012


def _slow_down(owner: type, stage: str, delays: random.Random) -> None:
    original = getattr(owner, stage)

    def slow(*arguments: Any) -> Any:
        time.sleep(delays.uniform(0, LONGEST_DELAY_S))
        return original(*arguments)

    setattr(owner, stage, slow)


def main() -> int:
    comm = connect()
    delays = random.Random(comm.rank)
    bands._BAND_PX = int(os.environ.get("FASTVID_TEST_BAND_PX", bands._BAND_PX))
    _slow_down(Repaint, "paint", delays)
    _slow_down(RecurrentRepaint, "blend", delays)
    if "FASTVID_TEST_AUTO" in os.environ:
        decoding._COMPUTING_DECODES = 0.0
    if comm.rank != 0:
        return serve(comm)
    status = 0
    try:
        for arguments in json.loads(Path(sys.argv[1]).read_text()):
            status = run_command_line(arguments, comm)
            if status:
                break
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        comm.abort(1)
    comm.send_all(Quit(status))
    comm.drain()
    return status


if __name__ == "__main__":
    sys.exit(main())
