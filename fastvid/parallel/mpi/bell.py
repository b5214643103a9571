"""Bells: ranks wake each other, so that a rank that waits need not look all the time.

A bell is a datagram socket in Linux's abstract name space, which needs no file and goes with its
process. Its name is random and told to the ranks of the job alone; it is known within one network
name space, so that whoever can connect to it is on the same host. Ranks of other hosts ring by UDP
(`fastvid.parallel.mpi.network`). A datagram says nothing and is never read: it ends a sleep.
"""

import secrets
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Protocol

_NAME_BYTES = 16
# Datagrams taken off at a time: more than a queue holds by default (net.unix.max_dgram_qlen), few
# enough that a flood does not keep a rank from its messages.
_DRAINED_AT_ONCE = 64
# The shortest sleep of poll(2), which counts in milliseconds.
_SHORTEST_POLL_S = 0.001


def abstract_address(name: str) -> str:
    """The address of a name in the abstract name space (man 7 unix)."""
    return f"\0{name}"


class Bell:
    """What a rank sleeps on: its own bell, and an alarm for its own threads and signal handlers.

    name: by which others ring it; empty where the system gives it no such name. address: where a
    name is bound; may raise OSError. Raises OSError if there is not even a pair of sockets.
    """

    def __init__(self, address: Callable[[str], str] = abstract_address) -> None:
        self._closed = False
        self._inside, self._alarm = socket.socketpair()
        outside, self.name = _named_socket(address)
        self._outside = [] if outside is None else [outside]
        self._ends = [self._inside, *self._outside]
        self._poll = select.poll()
        for end in (*self._ends, self._alarm):
            end.setblocking(False)
        for end in self._ends:
            self._poll.register(end, select.POLLIN)

    def hear(self, end: socket.socket) -> None:
        """Lets others ring at this socket, which does not block, as well; it is closed with the
        bell."""
        self._outside.append(end)
        self._ends.append(end)
        self._poll.register(end, select.POLLIN)

    def set(self) -> None:
        """Ends the sleep of this rank, or its next one; from any thread or signal handler."""
        try:
            self._alarm.send(b"!")
        except BlockingIOError:
            pass  # it is set many times over
        except OSError:
            if not self._closed:  # else a thread is left behind that was at work to the end
                raise

    def wait(self, timeout_s: float) -> bool:
        """Sleeps until somebody rings or sets this bell, at most `timeout_s`; whether it was that.

        A sleep of less than a millisecond is not interrupted. What rang stays until `drain`.
        """
        if timeout_s < _SHORTEST_POLL_S:
            time.sleep(timeout_s)
            timeout_s = 0.0
        return bool(self._poll.poll(timeout_s * 1000))

    def drain(self) -> bool:
        """Forgets what has rung so far; whether it was another process.

        To be called before one looks whether there is anything to do: what comes later rings again.
        """
        take_off(self._inside)
        rang = [take_off(end) for end in self._outside]  # all of them: each has to be emptied
        return any(rang)

    def close(self) -> None:
        """Nobody can ring it any more, and to set it does nothing. Harmless when called again."""
        self._closed = True
        for end in (*self._ends, self._alarm):
            end.close()


class Datagrams(Protocol):
    """The end of a socket to which datagrams come."""

    def recv(self, size: int, /) -> bytes:
        """Takes one off; raises BlockingIOError if there is none."""


class Doorbells:
    """The bells of other ranks, as far as they can be rung from here.

    names: of the bells, by rank.
    """

    def __init__(self, names: dict[int, str]) -> None:
        self._doorbells: dict[int, socket.socket] = {}
        self._routes: dict[int, tuple[str, int]] = {}
        self._network: socket.socket | None = None
        for rank, name in names.items():
            doorbell = _connected_socket(name) if name else None
            if doorbell is not None:
                self._doorbells[rank] = doorbell

    def reach(self, routes: dict[int, tuple[str, int]], network: socket.socket) -> None:
        """Has ranks of other hosts rung as well. routes: address and port of each. network: the UDP
        socket that is used for it; it stays its owner's."""
        self._routes, self._network = dict(routes), network

    @property
    def ranks(self) -> frozenset[int]:
        """The ranks whose bells can be rung."""
        return frozenset(self._doorbells) | frozenset(self._routes)

    def ring(self, rank: int) -> None:
        """Ends the sleep of a rank, if its bell can be rung."""
        doorbell = self._doorbells.get(rank)
        if doorbell is None:
            self._ring_over_network(rank)
            return
        try:
            doorbell.send(b"!")
        except BlockingIOError:
            pass  # its queue is full: it has been rung, and has not looked yet
        except OSError:  # it is gone
            self._doorbells.pop(rank).close()

    def _ring_over_network(self, rank: int) -> None:
        if self._network is None or rank not in self._routes:
            return
        try:
            self._network.sendto(b"!", self._routes[rank])
        except BlockingIOError:
            pass  # too much is under way: that rank looks by itself before long
        except OSError:  # no way there any more
            self._routes.pop(rank, None)

    def close(self) -> None:
        """No bell can be rung from here any more."""
        self._routes.clear()
        while self._doorbells:
            self._doorbells.popitem()[1].close()


def _named_socket(address: Callable[[str], str]) -> tuple[socket.socket | None, str]:
    """A socket to ring at and its name; None and an empty name where the system or a sandbox has
    none to give."""
    if not sys.platform.startswith("linux"):
        return None, ""
    name = f"fastvid-{secrets.token_hex(_NAME_BYTES)}"
    try:
        named = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return None, ""
    try:
        named.bind(address(name))
    except OSError:
        named.close()
        return None, ""
    return named, name


def _connected_socket(name: str) -> socket.socket | None:
    """A socket to ring with; None if nobody of that name is on this host."""
    try:
        doorbell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return None
    try:
        doorbell.setblocking(False)
        doorbell.connect(abstract_address(name))
    except OSError:
        doorbell.close()
        return None
    return doorbell


def take_off(end: Datagrams) -> bool:
    """Takes off what has arrived; whether there was anything."""
    for number in range(_DRAINED_AT_ONCE):
        try:
            end.recv(1)
        except BlockingIOError:
            return number > 0
    return True
