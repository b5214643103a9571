"""Who owns a run file, as the lock file beside it says, and whether that process still lives.

The lock itself is the kernel's. Some file systems have none, and on some it holds on one host alone
without saying so. So the owner also writes down who it is, and touches the file again and again;
from another host, a file that has not changed for STALE_S belongs to nobody any more.
"""

import os
import secrets
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BEAT_S = 10.0
STALE_S = 60.0
# Far more than clocks differ: such a file need not be watched.
_OLD_S = 3600.0
_POLL_S = 0.5
_MAX_BYTES = 400
# PF_EXITING of the kernel.
_EXITING = 0x4


@dataclass(frozen=True)
class Owner:
    """What a lock file says. text: for people; started: when the process began, in ticks since its
    host did, 0 if unknown; token: of this lock alone, empty in files of earlier versions."""

    host: str
    process: int
    started: int = 0
    token: str = ""

    @property
    def text(self) -> str:
        return f"process {self.process} on {self.host}"

    def content(self) -> bytes:
        """The lock file's content."""
        return f"{self.text}\nstarted {self.started}\ntoken {self.token}\n".encode()

    def lives_here(self) -> bool:
        """Whether the process is there; for an owner on this host."""
        began = _started(self.process)
        return began is not None and self.started in (0, began)

    def goes_on_here(self) -> bool:
        """Whether the process is there and is not being ended: one that was killed holds its files
        until the kernel has taken it apart, seconds where it has much memory or waits for a disk.
        """
        return self.lives_here() and not _is_being_ended(self.process)


def this_process() -> Owner:
    """The owner that this process is, with a new token."""
    process = os.getpid()
    return Owner(socket.gethostname(), process, _started(process) or 0, secrets.token_hex(8))


def parse_owner(content: bytes) -> Owner | None:
    """The owner that a lock file names; None if it names none."""
    lines = content[:_MAX_BYTES].decode("utf-8", errors="replace").splitlines()
    words = lines[0].split() if lines else []
    if len(words) != 4 or words[0] != "process" or not words[1].isdigit():
        return None
    facts = dict(line.split(" ", 1) for line in lines[1:] if " " in line)
    started = facts.get("started", "")
    return Owner(
        words[3],
        int(words[1]),
        int(started) if started.isdecimal() else 0,
        facts.get("token", "").strip(),
    )


class Watch:
    """Looks for signs of life of the owners of lock files, all from one moment on: to wait for
    several takes no longer than for one.

    paths: the lock files, as far as they are known by now.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._first = {path: (time.monotonic(), look(path)) for path in paths}

    def beats(self, path: Path) -> bool:
        """Whether the owner of a lock file touches it; looks at it for STALE_S at most, less where
        that is clear before. Another host's clock does not count."""
        began, first = self._first.setdefault(path, (time.monotonic(), look(path)))
        if first is None or time.time() - first[0] / 1e9 > _OLD_S:
            return False
        while True:
            now = look(path)
            if now != first:
                return now is not None
            if time.monotonic() > began + STALE_S:
                return False
            time.sleep(_POLL_S)


def look(path: Path) -> tuple[int, bytes] | None:
    """When a lock file was touched last (ns since 1970) and its content; None without one.

    It is opened anew: a network file system then asks its server.
    """
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_mtime_ns, stream.read(_MAX_BYTES)
    except OSError:
        return None


def _is_being_ended(process: int) -> bool:
    """Whether a process of this host was killed for good, or is on its way out; False if that can't
    be told (proc(5): flags of /proc/PID/stat, pending signals of /proc/PID/status)."""
    try:
        flags = int(_stat_fields(process)[6])
        status = Path(f"/proc/{process}/status").read_text()
        if flags & _EXITING:
            return True
        pending = [line.split()[1] for line in status.splitlines() if line[3:6] == "Pnd"]
        return any(int(mask, 16) >> (signal.SIGKILL - 1) & 1 for mask in pending)
    except (OSError, IndexError, ValueError):
        return False


def _started(process: int) -> int | None:
    """When a process of this host began, in ticks; None if there is none, 0 if that is unknown."""
    try:
        fields = _stat_fields(process)
    except OSError:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return None
        except OSError:
            pass  # somebody else's
        return 0
    # A zombie holds nothing any more.
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _stat_fields(process: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold anything; the first one is the
    state. Raises OSError."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
