"""`fastvid train` under mpirun: the ranks of the job become the ranks of torch.distributed."""

import argparse
import socket
import sys
import time

import torch

from fastvid.errors import FastvidError
from fastvid.parallel.messages import Train
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Quit
from fastvid.system.streams import LastingStream
from fastvid.training.command import owned_state, run
from fastvid.training.world import World, from_rank_0

_CPU = torch.device("cpu")
# What is wrong for one rank is mostly wrong for rank 0 too: it speaks first, and for all.
_RANK_0_SPEAKS_S = 10.0


def lead_training(parsed: argparse.Namespace, comm: Communicator) -> None:
    """Trains from rank 0, with all other ranks, as the options of `fastvid train` say.

    Raises InputError for what the user can put right, Stopped after a signal.
    """
    # What is wrong with this place is said before anybody is called.
    with owned_state(parsed):
        _lead(parsed, comm)


def _lead(parsed: argparse.Namespace, comm: Communicator) -> None:
    one_host = len({peer.host for peer in comm.peers}) == 1
    address = "127.0.0.1" if one_host else comm.peers[0].host
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    comm.send_all(Train(vars(parsed), address, port))
    comm.drain()
    _train(parsed, comm, World(0, comm.size, address, port))


def join_training(comm: Communicator, training: Train) -> int | None:
    """Takes part in the training that rank 0 has begun.

    Returns the exit status if rank 0 said to leave because it can't go on for the same reason, None
    at the end of the training. Raises FastvidError for what went wrong here alone.
    """
    world = World(comm.rank, comm.size, training.address, training.port)
    try:
        _train(argparse.Namespace(**training.options), comm, world)
    except FastvidError:
        deadline = time.monotonic() + _RANK_0_SPEAKS_S
        while time.monotonic() < deadline:
            for message in comm.poll():
                if isinstance(message.body, Quit):
                    return message.body.exit_status
            comm.rest()
        raise
    return None


def _train(parsed: argparse.Namespace, comm: Communicator, world: World) -> None:
    def agreed_reason() -> str | None:
        """Why to stop, as rank 0 sees it: all ranks must leave after the same step."""
        reason = comm.stop_reason.encode() if comm.stop_reason else None
        said = from_rank_0(world, reason, _CPU)
        return None if said is None else said.decode()

    # A log: a training of many hours does not end with who reads it.
    log = LastingStream(sys.stdout)

    def say(line: str) -> None:
        log.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        log.flush()

    run(parsed, world, say, agreed_reason)
