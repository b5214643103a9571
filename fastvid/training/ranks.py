"""`fastvid train` under mpirun: the ranks of the job become the ranks of torch.distributed."""

import json
import socket
import sys
import time

import torch

from fastvid.errors import FastvidError
from fastvid.parallel.mpi.communicator import Communicator, Kind, Message
from fastvid.parallel.mpi.stopping import signals_stop
from fastvid.system.arguments import Parser
from fastvid.training.command import owned_state, run
from fastvid.training.options import add_arguments
from fastvid.training.world import World, from_rank_0

_CPU = torch.device("cpu")
# What is wrong for one rank is mostly wrong for rank 0 too: it speaks first, and for all.
_RANK_0_SPEAKS_S = 10.0


def lead_training(arguments: list[str], comm: Communicator) -> None:
    """Trains from rank 0, with all other ranks; the arguments are those of `fastvid train`.

    Raises InputError for what the user can put right, Stopped after a signal.
    """
    parser = Parser(
        prog="fastvid train",
        description="Trains a style from a painting and a folder of photographs.",
    )
    add_arguments(parser)
    # What is wrong with the command line or with this place is said before anybody is called.
    with owned_state(parser.parse_args(arguments)):
        _lead(arguments, comm)


def _lead(arguments: list[str], comm: Communicator) -> None:
    one_host = len({peer.host for peer in comm.peers}) == 1
    address = "127.0.0.1" if one_host else comm.peers[0].host
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    facts = json.dumps({"arguments": arguments, "address": address})
    for rank in range(1, comm.size):
        comm.send_text(rank, Kind.TRAIN, facts, [port])
    comm.drain()
    _train(arguments, comm, World(0, comm.size, address, port))


def join_training(comm: Communicator, message: Message) -> int | None:
    """Takes part in the training of a TRAIN message.

    Returns the exit status if rank 0 said to leave because it can't go on for the same reason, None
    at the end of the training. Raises FastvidError for what went wrong here alone.
    """
    facts = json.loads(message.text())
    world = World(comm.rank, comm.size, facts["address"], message.header[0])
    try:
        _train(facts["arguments"], comm, world)
    except FastvidError:
        deadline = time.monotonic() + _RANK_0_SPEAKS_S
        while time.monotonic() < deadline:
            for word in comm.poll():
                if word.kind is Kind.QUIT:
                    return word.header[0]
            comm.rest()
        raise
    return None


def _train(arguments: list[str], comm: Communicator, world: World) -> None:
    parser = Parser(prog="fastvid train")
    add_arguments(parser)

    def agreed_reason() -> str | None:
        """Why to stop, as rank 0 sees it: all ranks must leave after the same step."""
        reason = comm.stop_reason.encode() if comm.stop_reason else None
        said = from_rank_0(world, reason, _CPU)
        return None if said is None else said.decode()

    with signals_stop(comm):
        run(parser.parse_args(arguments), world, _say, agreed_reason)


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()
