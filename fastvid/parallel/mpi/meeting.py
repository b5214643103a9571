"""How the ranks of a job get to know each other."""

import os
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fastvid.parallel.mpi.bell import Bell, Doorbells
from fastvid.parallel.mpi.peer import Peer
from fastvid.parallel.mpi.transport import Transport
from fastvid.system.resources import available_memory_bytes, processor_name, usable_cores


@dataclass(frozen=True)
class Meeting:
    """What a rank knows after all have met.

    peers: one a rank, in rank order. doorbells: of the ranks that can be rung from here.
    rung_by_all: every rank can ring every other one. over_network: some of them by datagrams that
    may get lost.
    """

    peers: tuple[Peer, ...]
    doorbells: Doorbells
    rung_by_all: bool
    over_network: bool = False


def meet(
    transport: Transport, bell: Bell, seen_as: Callable[[Peer], Peer] = lambda peer: peer
) -> Meeting:
    """Meets all other ranks; waits for them. seen_as: as what each rank is taken."""
    host = socket.gethostname()
    cores = tuple(sorted(os.sched_getaffinity(0)))
    resources = (usable_cores(), available_memory_bytes())
    facts = transport.gather_facts(
        (host, cores, *resources, os.getpid(), bell.name, processor_name())
    )
    # Ranks bound to the same cores share them; ranks bound apart do not. Counted once: to compare
    # every rank with every other took 4.5 s at 4,096 of them.
    sharers = Counter(fact[:2] for fact in facts)
    peers, names = [], {}
    for rank, (its_host, its_cores, usable, memory, pid, name, kind) in enumerate(facts):
        own = max(1, usable // sharers[its_host, its_cores])
        peers.append(seen_as(Peer(rank, its_host, own, memory, pid, kind)))
        names[rank] = name
    doorbells = Doorbells(names)
    here = _all_reached(transport, doorbells)
    if not here:
        _reach_other_hosts(transport, bell, doorbells)
    rung_by_all = here or _all_reached(transport, doorbells)
    return Meeting(tuple(peers), doorbells, rung_by_all, over_network=not here)


def _all_reached(transport: Transport, doorbells: Doorbells) -> bool:
    """Whether every rank can ring all of them."""
    reached = transport.gather_facts(len(doorbells.ranks))
    return all(count == transport.size for count in reached)


def _reach_other_hosts(transport: Transport, bell: Bell, doorbells: Doorbells) -> None:
    """Finds out which ranks of other hosts can be rung, and has them rung."""
    # Only jobs of several hosts need it; --help and the like load as little as they can.
    from fastvid.parallel.mpi.network import find_routes, network_socket, place_of

    network = network_socket()
    routes = find_routes(transport, network, place_of(network))
    if network is not None:
        bell.hear(network)
        doorbells.reach(routes, network)
