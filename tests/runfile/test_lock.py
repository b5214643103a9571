"""One run at a time owns a run file; the lock ends with the process, however that ends."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from fastvid.errors import InputError
from fastvid.job.ownership import own
from fastvid.runfile import lock as lock_module
from fastvid.runfile import owner as owner_module
from fastvid.runfile.lock import RunLock, lock_owner, lock_path
from fastvid.runfile.owner import Owner
from support.places import REPOSITORY

_HOLDER = """
import sys, time
from pathlib import Path
from fastvid.runfile.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""

_FORK = """
import os
if os.fork() == 0:
    time.sleep(1)
    os._exit(0)
"""


def test_the_lock_file_goes_with_the_lock(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run.h5"):
        assert [path.name for path in tmp_path.iterdir()] == [".run.h5.lock"]
        assert lock_owner(tmp_path / "run.h5") is not None
    assert list(tmp_path.iterdir()) == []
    assert lock_owner(tmp_path / "run.h5") is None


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run.h5"):
        with pytest.raises(InputError, match=f"process {os.getpid()} on ") as refused:
            RunLock(tmp_path / "run.h5")
        assert "--run-file" in str(refused.value)
        with RunLock(tmp_path / "other.h5"):
            pass
    with RunLock(tmp_path / "run.h5"):
        pass


def test_a_killed_owner_holds_nothing(tmp_path: Path) -> None:
    run_path = tmp_path / "run.h5"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(run_path)],
        text=True,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {holder.pid} on "):
            RunLock(run_path)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert lock_owner(run_path) is None
    with RunLock(run_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_killed_owner_is_waited_for(tmp_path: Path) -> None:
    """Its lock outlives it for a moment; here by a child that has its files too."""
    run_path = tmp_path / "run.h5"
    code = _HOLDER.replace("print(", _FORK + "print(")
    command = [sys.executable, "-c", code, str(run_path)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, cwd=REPOSITORY) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert lock_owner(run_path) is not None
        with RunLock(run_path):
            pass


def test_who_only_looks_is_waited_for(tmp_path: Path) -> None:
    """`status` locks for a moment to see whether somebody holds it; a run that starts just then
    must not be refused in the name of an owner that is long gone."""
    run_path = tmp_path / "run.h5"
    lock_path(run_path).write_bytes(Owner(socket.gethostname(), 2**22 + 1, 5, "gone").content())
    with lock_path(run_path).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.5, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        with RunLock(run_path):
            pass


def test_a_lock_that_stays_held_is_refused_though_its_owner_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "_LEFT_OVER_S", 0.3)
    run_path = tmp_path / "run.h5"
    lock_path(run_path).write_bytes(Owner(socket.gethostname(), 2**22 + 1, 5, "gone").content())
    with lock_path(run_path).open() as holding:
        fcntl.flock(holding, fcntl.LOCK_SH)
        with pytest.raises(InputError, match="still going"):
            RunLock(run_path)


# -- file systems whose locks are missing, or hold on one host alone ------------------------------


def no_locks(descriptor: int, how: int) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def own_host_only(descriptor: int, how: int) -> None:
    """Seen from another host: nobody holds it."""


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("BEAT_S", 0.1), ("STALE_S", 1.5), ("_POLL_S", 0.05)):
        monkeypatch.setattr(owner_module, name, seconds)
    monkeypatch.setattr(lock_module, "_SETTLE_S", 0.1)


@pytest.fixture(params=[no_locks, own_host_only])
def other_host(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Called: from here on this process is on another host, where the lock is not seen."""

    def move() -> None:
        monkeypatch.setattr(fcntl, "flock", request.param)
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")

    return move


def test_an_owner_on_another_host_is_seen(tmp_path: Path, other_host: Callable[[], None]) -> None:
    run_path, here = tmp_path / "run.h5", socket.gethostname()
    with RunLock(run_path):
        other_host()
        began = time.monotonic()
        with pytest.raises(InputError, match=f"process {os.getpid()} on {here}") as refused:
            RunLock(run_path)
        assert time.monotonic() - began < 1.4, "a beat is enough"
        assert "--run-file" in str(refused.value) and ".run.h5.lock" in str(refused.value)
        assert lock_owner(run_path) == f"process {os.getpid()} on {here}"
    assert lock_owner(run_path) is None
    with RunLock(run_path):
        pass


def test_a_dead_owner_on_another_host_is_followed(
    tmp_path: Path, other_host: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """What it left behind does not change any more."""
    run_path = tmp_path / "run.h5"
    left = owner_module.this_process()
    (tmp_path / ".run.h5.lock").write_bytes(left.content())
    other_host()
    with RunLock(run_path):
        assert "still goes on" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_several_dead_owners_are_waited_for_at_once(
    tmp_path: Path, other_host: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run file and an output, or of more where there are several styles."""
    places = [(tmp_path / f"{style}.h5", tmp_path / f"{style}.mp4") for style in "ab"]
    for path in (path for place in places for path in place):
        lock_path(path).write_bytes(owner_module.this_process().content())
    other_host()
    slept: list[float] = []
    now = time.monotonic

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now() + sum(slept))
    with ExitStack() as stack:
        own(places, stack)
    assert owner_module.STALE_S <= sum(slept) < 2 * owner_module.STALE_S


def test_an_old_lock_is_not_watched(tmp_path: Path, other_host: Callable[[], None]) -> None:
    lock = tmp_path / ".run.h5.lock"
    lock.write_bytes(owner_module.this_process().content())
    os.utime(lock, (1e9, 1e9))
    other_host()
    began = time.monotonic()
    with RunLock(tmp_path / "run.h5"):
        assert time.monotonic() - began < 1.0


def test_without_locks_the_process_itself_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one host: alive, gone, or another one that got its number."""
    monkeypatch.setattr(fcntl, "flock", no_locks)
    run_path, lock = tmp_path / "run.h5", tmp_path / ".run.h5.lock"
    with RunLock(run_path):
        with pytest.raises(InputError, match="still going"):
            RunLock(run_path)
        assert lock_owner(run_path) == f"process {os.getpid()} on {socket.gethostname()}"
    me = owner_module.this_process()
    for gone in (replace(me, started=me.started + 1), replace(me, process=2**22 + 1)):
        lock.write_bytes(gone.content())
        assert lock_owner(run_path) is None
        with RunLock(run_path):
            pass


def test_of_two_that_take_over_one_wins(
    tmp_path: Path, other_host: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / ".run.h5.lock"
    lock.write_bytes(owner_module.this_process().content())
    os.utime(lock, (1e9, 1e9))
    other_host()
    sleep = time.sleep

    def another_writes(seconds: float) -> None:
        lock.write_bytes(replace(owner_module.this_process(), host="third").content())
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", another_writes)
    with pytest.raises(InputError, match="on third"):
        RunLock(tmp_path / "run.h5")


@pytest.mark.parametrize(
    "content", [b"", b"process 12 on", b"process x on y\n", b"\xff" * 500, b"process 0 on y\n"]
)
def test_lock_files_of_others(content: bytes, tmp_path: Path) -> None:
    """Of a kill in the middle, of an earlier version, of nobody."""
    (tmp_path / ".run.h5.lock").write_bytes(content)
    with RunLock(tmp_path / "run.h5"):
        assert lock_owner(tmp_path / "run.h5") == f"process {os.getpid()} on {socket.gethostname()}"
