"""Bells across hosts: ranks of different hosts wake each other by UDP.

A datagram to a rank's port says nothing and is only counted: whoever sends one ends a sleep, no
more. Which address of a host is heard from where is tried out when all meet, by one rank a host;
where a network or its rules let nothing through, ranks look by themselves. A datagram may get lost:
a rank that is rung over a network looks by itself as well, though seldom.
"""

import os
import secrets
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastvid.parallel.mpi.transport import Transport

# How long hosts try to hear each other, and how often they call; on a quiet network it takes a
# millisecond. Paid once, and in full only where some host can't be heard.
TRIAL_S = 0.5
_CALL_EVERY_S = 0.05
_TOKEN_BYTES = 16
_CALL = struct.Struct("!II")  # number of the caller's host, of the address that was called
_SIOCGIFADDR = 0x8915  # linux/sockios.h: the IPv4 address of an interface
_IFREQ_BYTES, _IFREQ_ADDRESS = 256, slice(20, 24)  # man 7 netdevice

# Where a datagram reaches a rank: address and port.
Address = tuple[str, int]


@dataclass(frozen=True)
class Place:
    """What a rank says of where it can be rung. host: equal on the ranks of one network name space.
    port: 0 if nobody is to ring. addresses: IPv4, of its host."""

    host: tuple[str, int]
    port: int
    addresses: tuple[str, ...]


def network_of_this_process() -> tuple[str, int]:
    """The host's name, and the number of the network name space on it: two containers on one host
    may bear one name."""
    try:
        return socket.gethostname(), os.stat("/proc/self/ns/net").st_ino
    except OSError:
        return socket.gethostname(), 0


def own_addresses() -> tuple[str, ...]:
    """The IPv4 addresses of this host's interfaces, without the loopback's."""
    if not sys.platform.startswith("linux"):
        return ()
    import fcntl

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            request = struct.pack(f"{_IFREQ_BYTES}s", os.fsencode(name))
            try:
                answer = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, request)
            except OSError:  # an interface without an address
                continue
            address = socket.inet_ntoa(answer[_IFREQ_ADDRESS])
            if not address.startswith("127."):
                found.append(address)
    return tuple(found)


def network_socket() -> socket.socket | None:
    """A socket that can be rung at from other hosts, on a port that the system chooses; None where
    it gives none."""
    try:
        ringable = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return None
    try:
        ringable.bind(("", 0))
    except OSError:
        ringable.close()
        return None
    ringable.setblocking(False)
    return ringable


def place_of(own: socket.socket | None) -> Place:
    """Where this rank is, which is rung at that socket."""
    host = network_of_this_process()
    return Place(host, 0, ()) if own is None else Place(host, own.getsockname()[1], own_addresses())


def find_routes(
    transport: Transport, own: socket.socket | None, place: Place, trial_s: float = TRIAL_S
) -> dict[int, Address]:
    """Where the ranks of other hosts can be rung from here; all ranks have to call it together.

    own: at what this rank is to be rung, and place: where. trial_s: how long hosts try to hear each
    other.
    """
    places = transport.gather_facts(place)
    callers: dict[tuple[str, int], int] = {}  # the first rank of each host
    for rank, its in enumerate(places):
        callers.setdefault(its.host, rank)
    hosts = list(callers)
    token = transport.gather_facts(secrets.token_bytes(_TOKEN_BYTES))[0]
    number = hosts.index(place.host)
    heard: dict[int, int] = {}
    if callers[place.host] == transport.rank and own is not None:
        others = [
            (host, places[rank]) for host, rank in enumerate(callers.values()) if host != number
        ]
        heard = Trial(own, token, number, others).run(trial_s)
    heard_by = transport.gather_facts(heard)
    routes = {}
    for rank, its in enumerate(places):
        # Its host's caller has heard this host's caller at that address.
        at = heard_by[callers[its.host]].get(number) if its.host != place.host else None
        if at is not None and its.port:
            routes[rank] = (places[callers[its.host]].addresses[at], its.port)
    return routes


class Trial:
    """One host's part in finding out who hears whom.

    own: what it listens at. token: known to this job's ranks alone. number: of this host. others:
    number and first rank's place of every other host.
    """

    def __init__(
        self,
        own: socket.socket,
        token: bytes,
        number: int,
        others: Sequence[tuple[int, Place]],
    ) -> None:
        self._own = own
        self._token = token
        self._number = number
        self._others = others

    def run(self, trial_s: float) -> dict[int, int]:
        """Calls the others until all have been heard here, or for `trial_s`; by host that was
        heard, at which of this host's addresses."""
        heard: dict[int, int] = {}
        expected = {host for host, place in self._others if place.port}
        deadline = time.monotonic() + trial_s
        call_at = 0.0
        while time.monotonic() < deadline and not expected <= heard.keys():
            if time.monotonic() >= call_at:
                self._call()
                call_at = time.monotonic() + _CALL_EVERY_S
            select.select([self._own], [], [], _CALL_EVERY_S)
            for host, address in self._calls():
                if host in expected:
                    heard[host] = min(address, heard.get(host, address))
        self._call()  # whom the last one has not reached
        return heard

    def _call(self) -> None:
        for _, place in self._others:
            for index, address in enumerate(place.addresses):
                try:
                    self._own.sendto(
                        self._token + _CALL.pack(self._number, index), (address, place.port)
                    )
                except OSError:  # no way there, or its queue is full
                    continue

    def _calls(self) -> Iterator[tuple[int, int]]:
        """What has arrived of this job's calls."""
        while True:
            try:
                call = self._own.recv(_TOKEN_BYTES + _CALL.size + 1)
            except OSError:
                return
            if len(call) == _TOKEN_BYTES + _CALL.size and call.startswith(self._token):
                yield _CALL.unpack(call[_TOKEN_BYTES:])
