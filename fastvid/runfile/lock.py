"""One run at a time owns a run file, or the state of a training: an advisory lock on a small file
beside it."""

import errno
import fcntl
import logging
import os
import socket
from pathlib import Path
from types import TracebackType

from fastvid.errors import InputError

_log = logging.getLogger(__name__)
_OWNER_BYTES = 200
# File systems without locks answer so (some Lustre and NFS mounts).
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def _lock_path(run_file: Path) -> Path:
    return run_file.with_name(f".{run_file.name}.lock")


def lock_owner(run_file: Path) -> str | None:
    """Who holds the lock of a run file ("process N on HOST"), None if nobody does."""
    try:
        descriptor = os.open(_lock_path(run_file), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None  # no lock, or not ours to look at
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except OSError:
        return os.read(descriptor, _OWNER_BYTES).decode("utf-8", errors="replace").strip()
    finally:
        os.close(descriptor)


class RunLock:
    """Holds `.NAME.lock` beside the run file NAME until closed; it ends with the process, however
    that ends. A context manager.

    option: what the user gives to have the file elsewhere. Raises InputError if another run holds
    it, naming its host and process, or if nothing can be written there.
    """

    def __init__(self, run_file: Path, option: str = "--run-file") -> None:
        self.path = _lock_path(run_file)
        self._option = option
        self._descriptor = self._acquire(run_file)

    def _acquire(self, run_file: Path) -> int:
        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise InputError(
                    f"Can't write in {self.path.parent.absolute()}: {error.strerror}.\n"
                    f"Choose another place for {run_file.name} with {self._option}."
                ) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                owner = os.read(descriptor, _OWNER_BYTES).decode("utf-8", errors="replace").strip()
                os.close(descriptor)
                raise InputError(
                    f"{run_file} belongs to a run that is still going ({owner or 'unknown'}).\n"
                    f"Wait for it, or give this run another place with {self._option}."
                ) from error
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    os.close(descriptor)
                    raise
                _log.warning(
                    "%s: this file system has no locks; do not start two runs with the "
                    "same run file",
                    run_file,
                )
            if self._is_current(descriptor):
                os.truncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return descriptor
            os.close(descriptor)  # the owner before us removed it in between

    def _is_current(self, descriptor: int) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        here = os.fstat(descriptor)
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def close(self) -> None:
        """Gives the run file free."""
        if self._descriptor >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
