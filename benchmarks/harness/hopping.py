"""A boundary frame that goes round all ranks, which sleep until it comes: a program for mpirun."""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.lifetime import connect, leave
from fastvid.parallel.mpi.message import Quit
from fastvid.parallel.segment_messages import Boundary

# Long enough that all others sleep as long as they ever do.
_PAUSE_S = 0.1


def go_round(comm: Communicator, shape: tuple[int, int, int], rounds: int) -> list[float]:
    """Rank 0's part: the seconds a hop of each round."""
    frame = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = []
    for number in range(rounds):
        time.sleep(_PAUSE_S)
        began = time.monotonic()
        comm.send(1 % comm.size, Boundary(number, frame))
        comm.wait_for(Boundary)
        found.append((time.monotonic() - began) / comm.size)
    return found


def pass_on(comm: Communicator) -> None:
    """The part of every other rank, until it is told to leave."""
    while True:
        message = comm.wait_for(Boundary, Quit)
        if isinstance(message.body, Quit):
            comm.say_farewell()
            return
        comm.send((comm.rank + 1) % comm.size, message.body)


def main(height: str, width: str, rounds: str, result: str) -> None:
    """Writes the median of all rounds, quartiles and whether all ring, as JSON."""
    comm = connect()
    if comm.rank != 0:
        pass_on(comm)
        leave(0)
    seconds = go_round(comm, (int(height), int(width), 3), int(rounds) + 1)[1:]
    low, median, high = statistics.quantiles(seconds, n=4)
    facts = {"median": median, "low": low, "high": high, "rung_by_all": comm.rung_by_all}
    Path(result).write_text(json.dumps(facts), encoding="utf-8")
    comm.send_home(0, 60.0)
    leave(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
