"""What a rank of a killed run does at its system calls: it ends at one of them, and keeps what has
reached the disk, from which `dead_node` makes what a node leaves that dies.

`program.py` begins it; the environment says what is to be done.
"""

import os
import shutil
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

# At which call rank 0 kills itself, and how much of it is done first: NUMBER:SHARE.
DIE_AT = "FASTVID_CHAOS_DIE_AT"
# A folder for what has reached the disk.
DURABLE = "FASTVID_CHAOS_DURABLE"
# Where rank 0 leaves the number of its calls when it ends.
COUNT = "calls.txt"

# Everything that changes a file or folder, and the waits for the disk.
_CALLS = (
    "pwrite",
    "ftruncate",
    "truncate",
    "fsync",
    "replace",
    "rename",
    "unlink",
    "mkdir",
    "rmdir",
)
_PAGE_BYTES = 4096


class Calls:
    """Counts the calls of this process, and ends it at one of them with SIGKILL.

    die_at: the number of that call, None for none; share: so much of it, if it writes, is done.
    """

    def __init__(self, die_at: int | None = None, share: float = 0.0) -> None:
        self.count = 0
        self._die_at, self._share = die_at, share
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Begins to count."""
        for name in _CALLS:
            call = partial(self._call, name, getattr(os, name))
            mock.patch.object(os, name, call).start()

    def _call(self, name: str, call: Callable[..., Any], *words: Any, **named: Any) -> Any:
        with self._lock:
            self.count += 1
            last = self.count == self._die_at
        if last:
            if name == "pwrite":
                descriptor, data, offset = words
                pages = int(self._share * len(data)) // _PAGE_BYTES
                call(descriptor, memoryview(data)[: pages * _PAGE_BYTES], offset)
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*words, **named)


class Durable:
    """Keeps beside the files what has reached the disk of them: of a file its content, of a folder
    its names, as they were at the last fsync. By inode; a link to each file keeps that from being
    used again.

    place: where it is kept, on the same file system.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._fsync, self._mkdir = os.fsync, os.mkdir

    def watch(self) -> None:
        """Begins to keep."""
        self._place.mkdir(exist_ok=True)
        mock.patch.object(os, "fsync", self._keep).start()
        mock.patch.object(os, "mkdir", self._begin_folder).start()

    def _keep(self, descriptor: int) -> None:
        self._fsync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        inode = os.fstat(descriptor).st_ino
        kept, fresh = self._place / str(inode), self._place / f"{inode}.new"
        if path.is_dir():
            entries = [f"{entry.inode()} {entry.name}\n" for entry in os.scandir(path)]
            fresh.write_text("".join(entries))
        else:
            link = self._place / f"{inode}.link"
            if not link.exists():
                os.link(path, link)
            shutil.copyfile(link, fresh)
        fresh.replace(kept)

    def _begin_folder(self, path: Any, *words: Any, **named: Any) -> None:
        self._mkdir(path, *words, **named)
        # The number may have been another folder's.
        (self._place / str(os.stat(path).st_ino)).unlink(missing_ok=True)
