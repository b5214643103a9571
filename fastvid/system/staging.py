"""A film on the disk of a host: copied there once, read by all ranks of the host, removed behind
the last of them.

The copy lies in a folder of its own, whose name says of which file, of which size and time it is.
A lock in it (flock) says who is there: whoever copies has it alone, readers share it, and the last
reader, who gets it alone, removes the folder. What a killed run has left there the next one takes
over, if it is whole.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from fastvid.errors import InputError
from fastvid.system.resources import free_disk_bytes, human_bytes

_BLOCK_BYTES = 8 << 20
# How often who waits for a copy looks whether it is there.
_LOOK_EVERY_S = 0.05
_LOCK_NAME = ".lock"
_UNFINISHED = ".unfinished"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def staged(
    source: Path, folder: Path | None, going_on: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """The place of a copy of a film, or of a folder of images, which bears the same name; it is
    there within the block.

    folder: on the host's own disk; None: the film itself. going_on: called again and again while
    the film is copied. Raises InputError if it can't be.
    """
    if folder is None:
        yield source
        return
    if not folder.is_dir():
        raise InputError(f"--stage-to {folder}: there is no such folder on this host.")
    with _explained(source, folder):
        files = _files_of(source)
        place = folder / _folder_name(source, files)
        lock = _shared(place, _Copy(source, files, place), going_on)
    try:
        yield place / source.name
    finally:
        _leave(lock, place)


def _files_of(source: Path) -> list[tuple[Path, os.stat_result]]:
    """What belongs to the film: the file, or the files of a folder, hidden ones apart."""
    if not source.is_dir():
        return [(source, source.stat())]
    found = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    return [(path, path.stat()) for path in found if path.is_file()]


def _folder_name(source: Path, files: list[tuple[Path, os.stat_result]]) -> str:
    """Equal for all who mean the same content, on any host: a name, sizes and times."""
    text = f"{os.getuid()} {source.absolute()} {_facts(files)}".encode("utf-8", "surrogateescape")
    return f"fastvid-{hashlib.sha256(text).hexdigest()[:16]}"


def _shared(place: Path, copy: "_Copy", going_on: Callable[[], None]) -> int:
    """Holds the lock of a folder together with others, whose film is whole. Raises OSError."""
    while True:
        place.mkdir(mode=0o700, exist_ok=True)
        try:
            _check_own(place)
            lock = os.open(place / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the last reader has just removed it
        try:
            _lock(lock, fcntl.LOCK_SH, going_on)
            while _is_there(lock, place):
                if copy.done():
                    return lock
                # Not at once: somebody else may come in between, and copy, or go and remove it.
                alone = _lock(lock, fcntl.LOCK_EX, going_on, copy.done)
                if alone and _is_there(lock, place) and not copy.done():
                    copy.make(going_on)
                _lock(lock, fcntl.LOCK_SH, going_on)
        except BaseException:
            _leave(lock, place)
            raise
        os.close(lock)


def _check_own(place: Path) -> None:
    """Raises InputError for a folder of somebody else: its copy might be of anything. The name can
    be guessed, and many may write where a host has its scratch."""
    stat = place.lstat()
    if not S_ISDIR(stat.st_mode) or stat.st_uid != os.getuid() or stat.st_mode & 0o022:
        raise InputError(
            f"--stage-to {place.parent}: {place.name} there is not this user's alone.\n"
            "Have it removed, or give another folder."
        )


def _lock(
    lock: int,
    kind: int,
    going_on: Callable[[], None],
    needless: Callable[[], bool] = lambda: False,
) -> bool:
    """Waits for a lock; whether it was had, before it became needless. Whoever has copied the film
    reads it as long as the job goes on, which this rank would hold up for ever."""
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if needless():
                return False
            going_on()
            time.sleep(_LOOK_EVERY_S)


def _is_there(lock: int, place: Path) -> bool:
    """Whether the folder still has this lock: else it was removed while this was waited for."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(place / _LOCK_NAME))
    except FileNotFoundError:
        return False


def _leave(lock: int, place: Path) -> None:
    """Gives the lock back; the last one removes the folder."""
    with suppress(OSError):  # others read there
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_there(lock, place):
            shutil.rmtree(place, ignore_errors=True)
    os.close(lock)


@dataclass(frozen=True)
class _Copy:
    """A film and its copy in `place`. files: what belongs to it."""

    source: Path
    files: list[tuple[Path, os.stat_result]]
    place: Path

    def done(self) -> bool:
        """Whether it is there, as a whole."""
        return (self.place / self.source.name).exists()

    def make(self, going_on: Callable[[], None]) -> None:
        """Copies it. Raises OSError, and InputError if there is no room, or if the film changes
        meanwhile."""
        unfinished = self.place / _UNFINISHED
        if unfinished.is_dir():
            shutil.rmtree(unfinished)
        self._check_room()
        if self.source.is_dir():
            unfinished.mkdir()
        for path, stat in self.files:
            target = unfinished / path.name if self.source.is_dir() else unfinished
            _copy_file(path, target, stat.st_size, going_on)
        if _facts(self.files) != _facts(_files_of(self.source)):
            raise InputError(f"{self.source} has changed while it was copied (--stage-to).")
        unfinished.rename(self.place / self.source.name)

    def _check_room(self) -> None:
        needed, free = sum(stat.st_size for _, stat in self.files), free_disk_bytes(self.place)
        if needed > free:
            raise InputError(
                f"--stage-to {self.place.parent}: {self.source} takes {human_bytes(needed)}, and "
                f"{human_bytes(free)} are free there.\nGive another folder, or leave it out."
            )


def _facts(files: list[tuple[Path, os.stat_result]]) -> list[tuple[str, int, int]]:
    """By which one sees that files have changed: names, sizes and times."""
    return [(path.name, stat.st_size, stat.st_mtime_ns) for path, stat in files]


def _copy_file(source: Path, target: Path, size: int, going_on: Callable[[], None]) -> None:
    """Copies the first `size` bytes: one that grows has no end."""
    with open(source, "rb") as reading, open(target, "wb") as writing:
        while block := reading.read(min(size, _BLOCK_BYTES)):
            writing.write(block)
            size -= len(block)
            going_on()
    shutil.copystat(source, target)


@contextmanager
def _explained(source: Path, folder: Path) -> Iterator[None]:
    """Makes an InputError of what the file systems say."""
    try:
        yield
    except OSError as error:
        reason = "there is no room" if error.errno in _NO_ROOM else error.strerror
        raise InputError(
            f"--stage-to {folder}: {source} can't be copied there: {reason}.\n"
            "Give another folder, or leave it out."
        ) from error
