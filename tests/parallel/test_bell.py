"""Bells end sleeps: of this host's ranks, in whatever state the one that rings or sleeps is."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from fastvid.parallel.mpi.bell import Bell, Doorbells, take_off
from support.places import REPOSITORY

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="there are no abstract names but on Linux"
)

# Nobody sleeps for so long here: whoever would is woken.
LONG_S = 60.0


@pytest.fixture
def bell() -> Iterator[Bell]:
    bell = Bell()
    yield bell
    bell.close()


def ring(bell: Bell) -> None:
    with closing(Doorbells({0: bell.name})) as doorbells:
        doorbells.ring(0)


def test_a_ring_ends_a_sleep(bell: Bell) -> None:
    timer = threading.Timer(0.2, ring, [bell])
    timer.start()
    assert bell.wait(LONG_S)
    timer.join()


def test_a_ring_before_the_sleep_is_not_lost_and_counts_once(bell: Bell) -> None:
    ring(bell)
    ring(bell)
    assert bell.wait(LONG_S) and bell.wait(LONG_S)
    assert bell.drain()
    assert not bell.wait(0.0) and not bell.drain()


def test_own_threads_end_a_sleep_and_are_no_ring(bell: Bell) -> None:
    timer = threading.Timer(0.2, bell.set)
    timer.start()
    assert bell.wait(LONG_S)
    timer.join()
    assert not bell.drain()
    assert not bell.wait(0.0)


def test_a_signal_handler_ends_a_sleep(bell: Bell) -> None:
    """Python goes on sleeping after a handler that does nothing."""
    previous = signal.signal(signal.SIGUSR1, lambda number, frame: bell.set())
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1])
    try:
        timer.start()
        assert bell.wait(LONG_S)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, previous)


def test_nothing_rings_a_short_sleep(bell: Bell) -> None:
    assert not bell.wait(0.0002) and not bell.wait(0.002)


def test_more_rings_than_a_queue_holds(bell: Bell) -> None:
    """The one that rings neither waits nor fails, and the bell is silent again after some looks."""
    doorbells = Doorbells({0: bell.name})
    for _ in range(5000):
        doorbells.ring(0)
        bell.set()
    assert doorbells.ranks == {0}
    looks = 0
    while bell.wait(0.0):
        bell.drain()
        looks += 1
    assert 0 < looks <= 5000
    doorbells.close()


def test_a_bell_that_is_gone() -> None:
    bell, other = Bell(), Bell()
    doorbells = Doorbells({3: bell.name, 4: other.name})
    assert doorbells.ranks == {3, 4}
    bell.close()
    doorbells.ring(3)
    doorbells.ring(3)
    assert doorbells.ranks == {4}
    doorbells.ring(4)
    assert other.drain()
    other.close()
    doorbells.close()
    assert doorbells.ranks == frozenset()


def test_names_that_nobody_has() -> None:
    doorbells = Doorbells({0: "", 1: "fastvid-nobody"})
    assert doorbells.ranks == frozenset()
    doorbells.ring(0)
    doorbells.ring(7)


def test_names_differ() -> None:
    bells = [Bell() for _ in range(20)]
    assert len({bell.name for bell in bells}) == 20
    for bell in bells:
        bell.close()


@pytest.mark.parametrize("content", [b"", b"x" * 60000])
def test_a_foreign_datagram_does_no_harm(bell: Bell, content: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(content, f"\0{bell.name}")
    assert bell.wait(LONG_S)
    bell.drain()
    assert not bell.wait(0.0)


def test_a_flood_does_not_hold_a_look_up(bell: Bell) -> None:
    """Somebody rings faster than datagrams are taken off: a look comes to an end all the same."""

    class Flooded:
        def recv(self, size: int) -> bytes:
            return b"!"

    assert take_off(Flooded())


def test_a_fork_changes_nothing(bell: Bell) -> None:
    """A process that leaves a copy of itself behind, as a library may, still hears its bell."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        os._exit(0)
    ring(bell)
    assert bell.wait(LONG_S) and bell.drain()
    os.write(writer, b"!")
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def test_bells_where_names_are_refused() -> None:
    """In a sandbox, say: own threads still end the sleep."""

    def refuse(name: str) -> str:
        raise PermissionError(name)

    bell = Bell(refuse)
    assert bell.name == ""
    bell.set()
    assert bell.wait(LONG_S)
    assert not bell.drain()
    assert not bell.wait(0.0)
    bell.close()


def test_a_system_without_abstract_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    bell = Bell()
    assert bell.name == ""
    bell.close()


def test_a_system_without_a_free_descriptor_for_doorbells(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    assert Doorbells({0: bell.name}).ranks == frozenset()


def test_another_network_is_another_host(bell: Bell) -> None:
    """Two containers of one machine, with networks of their own, do not reach each other."""
    program = shutil.which("unshare")
    script = (
        "import sys; from fastvid.parallel.mpi.bell import Doorbells; "
        "print(sorted(Doorbells({0: sys.argv[1]}).ranks))"
    )
    command = [sys.executable, "-c", script, bell.name]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    here = subprocess.run(command, capture_output=True, text=True, env=env)
    assert here.stdout == "[0]\n", here.stderr
    if (
        program is None
        or subprocess.run([program, "--net", "true"], capture_output=True).returncode
    ):
        pytest.skip("this user may not make a network of its own")
    apart = subprocess.run([program, "--net", *command], capture_output=True, text=True, env=env)
    assert apart.stdout == "[]\n", apart.stderr


def test_what_is_slept_on_can_be_high_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """select(2) knows no descriptor beyond 1023; a program that embeds fastvid may have more."""
    resource = pytest.importorskip("resource")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1100:
        pytest.skip("this user may not have so many open files")
    low = [os.open(os.devnull, os.O_RDONLY) for _ in range(1030)]
    try:
        bell = Bell()
        with pytest.raises(ValueError):
            select.select([max(low)], (), (), 0.0)
        bell.set()
        assert bell.wait(LONG_S)
        bell.close()
    finally:
        for number in low:
            os.close(number)
