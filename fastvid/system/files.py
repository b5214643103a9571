"""Writing files so that a full or vanished disk gives one clear message and nothing half-made."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fastvid.errors import StorageError

_WAYS_OUT = {
    errno.ENOSPC: "free some room there, or choose another place with -o",
    errno.EDQUOT: "your quota is used up: free some room, or choose another place with -o",
    errno.EFBIG: "the file system or a limit (ulimit -f) allows no larger file",
    errno.EROFS: "it is mounted read-only: choose another place with -o",
    errno.EACCES: "choose a place with -o where you may write",
    errno.EPERM: "choose a place with -o where you may write",
}
_WAY_OUT_OTHERWISE = "check the disk or the network file system, then run the same command again"


def storage_error(path: str | Path, error: OSError) -> StorageError:
    """The error that tells the user what could not be written, why, and the way out."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    way_out = _WAYS_OUT.get(error.errno or 0, _WAY_OUT_OTHERWISE)
    return StorageError(f"can't write {path}: {reason}; {way_out}")


@contextmanager
def storage_errors(path: str | Path) -> Iterator[None]:
    """Turns any OSError in the block into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


class CheckedFile:
    """A file that libavformat writes through and that never forgets a failed write.

    libavformat reports a failed write late or, in the last buffer of a file, not at all; here the
    first error is kept and raised again by `finish`. Not thread-safe.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._error: OSError | None = None
        self._file: IO[bytes] = open(path, "w+b")  # noqa: SIM115 (closed by finish or discard)

    @property
    def closed(self) -> bool:
        """PyAV asks this before it writes the end of a file that was given up."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self._error = self._error or error
            raise

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            self._error = self._error or error
            raise

    def tell(self) -> int:
        return self._file.tell()

    def raise_first_error(self) -> None:
        """Raises StorageError if any write has failed so far."""
        if self._error is not None:
            raise storage_error(self._path, self._error) from self._error

    def finish(self) -> None:
        """Everything is on the disk after this, or StorageError is raised."""
        self.raise_first_error()
        with storage_errors(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Closes and deletes the file, whatever state it is in; does nothing after `finish`."""
        if self._file.closed:
            return
        # If the buffer can't be written, it goes away with the file.
        with suppress(OSError):
            self._file.close()
        Path(self._path).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes a rename within the folder durable, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems can't sync folders (EINVAL); the rename itself has happened.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise storage_error(folder, error) from error
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file at once: after a kill, a full disk or the death of the node it is the old one
    or the new one, whole.

    Raises StorageError if it can't be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot write: {error.strerror}") from error
