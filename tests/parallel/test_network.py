"""Ranks of different hosts find out how to ring each other, and do; hosts are made up here
(test_hosts.py has real ones)."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import cast

import pytest

from fastvid.parallel.mpi.bell import Bell, Doorbells
from fastvid.parallel.mpi.network import (
    Address,
    Place,
    find_routes,
    network_socket,
    own_addresses,
    place_of,
)
from fastvid.parallel.mpi.transport import Transport

# Nobody sleeps for so long here: whoever would is woken.
LONG_S = 60.0
# Nobody is there: a network for documentation (RFC 5737).
NOWHERE = "192.0.2.1"
HERE = "127.0.0.1"


class Table:
    """In the place of MPI, for ranks that are threads."""

    def __init__(self, size: int) -> None:
        self.said: list[object] = [None] * size
        self.barrier = threading.Barrier(size)


class Seat:
    """One rank's MPI."""

    def __init__(self, table: Table, rank: int) -> None:
        self.rank, self.size = rank, len(table.said)
        self._table = table

    def gather_facts(self, fact: object) -> list[object]:
        self._table.said[self.rank] = fact
        self._table.barrier.wait(LONG_S)
        all_said = list(self._table.said)
        self._table.barrier.wait(LONG_S)
        return all_said


class Rank:
    """A rank on a made-up host. port: where its host has it; 0 for a socket that nothing
    reaches."""

    def __init__(self, host: str, addresses: tuple[str, ...], heard: bool = True) -> None:
        self.socket = network_socket()
        assert self.socket is not None
        self.place = Place((host, 1), self.socket.getsockname()[1], addresses)
        if not heard:
            self.place = Place((host, 1), 1, addresses)  # as rules of a network would have it


@pytest.fixture
def ranks() -> Iterator[list[Rank]]:
    """Three hosts; the first one's first address leads nowhere, the last one hears nothing."""
    with ExitStack() as stack:
        made = [
            Rank("a", (NOWHERE, HERE)),
            Rank("b", (HERE,)),
            Rank("a", (NOWHERE, HERE)),
            Rank("b", (HERE,)),
            Rank("b", (HERE,)),
            Rank("deaf", (HERE,), heard=False),
        ]
        for rank in made:
            assert rank.socket is not None
            stack.enter_context(closing(rank.socket))
        yield made


def routes_of(ranks: list[Rank], trial_s: float) -> list[dict[int, Address]]:
    table = Table(len(ranks))
    with ThreadPoolExecutor(len(ranks)) as pool:
        running = [
            pool.submit(
                find_routes, cast(Transport, Seat(table, number)), rank.socket, rank.place, trial_s
            )
            for number, rank in enumerate(ranks)
        ]
        return [one.result(LONG_S) for one in running]


def test_hosts_find_the_addresses_that_lead_somewhere(ranks: list[Rank]) -> None:
    ranks = ranks[:5]
    # Somebody else's datagrams are there already.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for noise in (b"!", b"x" * 24, b"x" * 1000):
            stranger.sendto(noise, (HERE, ranks[0].place.port))
    ports = [rank.place.port for rank in ranks]
    to_a = {rank: (HERE, ports[rank]) for rank in (0, 2)}
    to_b = {rank: (HERE, ports[rank]) for rank in (1, 3, 4)}
    assert routes_of(ranks, LONG_S) == [to_b, to_a, to_b, to_a, to_a]


def test_a_host_that_hears_nothing_is_not_rung(ranks: list[Rank]) -> None:
    """It rings the others all the same."""
    routes = routes_of(ranks, 1.0)
    assert all(5 not in found for found in routes)
    assert set(routes[5]) == {0, 1, 2, 3, 4}


def test_one_without_a_socket_is_not_rung(ranks: list[Rank]) -> None:
    ranks = [ranks[0], ranks[1]]
    ranks[1].socket, ranks[1].place = None, Place(("b", 1), 0, ())
    assert routes_of(ranks, 0.2) == [{}, {}]


def test_a_ring_over_the_network_ends_a_sleep() -> None:
    bell, ringing = Bell(), network_socket()
    rung = network_socket()
    assert rung is not None and ringing is not None
    bell.hear(rung)
    doorbells = Doorbells({})
    doorbells.reach({3: (HERE, rung.getsockname()[1]), 4: (NOWHERE, 0)}, ringing)
    assert doorbells.ranks == {3, 4}
    threading.Timer(0.2, doorbells.ring, [3]).start()
    assert bell.wait(LONG_S)
    assert bell.drain() and not bell.wait(0.0)
    doorbells.ring(4)  # there is no such port
    assert doorbells.ranks == {3}
    doorbells.close()
    bell.close()
    doorbells.ring(3)
    with pytest.raises(OSError):
        rung.getsockname()
    ringing.close()


def test_a_place_names_addresses_of_this_host() -> None:
    place = place_of(None)
    assert (place.port, place.addresses) == (0, ())
    for address in own_addresses():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind((address, 0))
