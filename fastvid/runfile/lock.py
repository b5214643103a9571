"""One run at a time owns a run file, an output, or the state of a training: a lock on a small file
beside it."""

import errno
import fcntl
import logging
import os
import threading
import time
from pathlib import Path
from types import TracebackType

from fastvid.errors import InputError
from fastvid.runfile import owner as owners
from fastvid.runfile.owner import Owner, Watch, look, parse_owner, this_process

_log = logging.getLogger(__name__)
# What the user gives to have an output elsewhere.
OUTPUT_OPTION = "-o"
# File systems without locks answer so (some Lustre and NFS mounts).
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# Two hosts that take over the same file see within this time who was the last one.
_SETTLE_S = 1.0
# Whoever has created the file writes its name into it at once.
_NAMELESS_S = 1.0
# A lock whose owner is not alive is held by what is left of it, or by somebody who looks whether it
# is held; either for a moment.
_LEFT_OVER_S = 10.0
_POLL_S = 0.05


def lock_path(run_file: Path) -> Path:
    """Where the lock of a run file or output lies."""
    real = Path(os.path.realpath(run_file))  # by whatever name it is called
    return real.with_name(f".{real.name}.lock")


def lock_owner(run_file: Path) -> str | None:
    """Who holds the lock of a run file ("process N on HOST"), None if nobody does.

    An owner on another host counts while its beats are fresh; nobody is waited for.
    """
    path = lock_path(run_file)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None  # no lock, or not ours to look at
    try:
        seen = look(path)
        owner = parse_owner(seen[1]) if seen else None
        held = _flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    if held is False:
        return owner.text if owner else "unknown"
    if owner is None or seen is None:
        return None
    if owner.host == this_process().host:
        return owner.text if held is None and owner.lives_here() else None
    return owner.text if owner.token and time.time() - seen[0] / 1e9 < owners.STALE_S else None


def _flock(descriptor: int, how: int) -> bool | None:
    """Whether the lock was to be had; None where the file system has none. Raises OSError."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None


class RunLock:
    """Holds `.NAME.lock` beside the run file (or output) NAME until closed; it ends with the
    process, however that ends. A context manager.

    option: what the user gives to have the file elsewhere. watch: of several locks that are taken
    one after the other. Raises InputError if another run holds
    it, naming its host and process, or if nothing can be written there. Waits up to a minute for
    the sign of life of an owner on another host.
    """

    def __init__(
        self, run_file: Path, option: str = "--run-file", watch: Watch | None = None
    ) -> None:
        self.path = lock_path(run_file)
        self._option = option
        self._run_file = run_file
        self._me = this_process()
        self._watch = watch or Watch()
        self._descriptor = self._acquire()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="fastvid-lock", daemon=True)
        self._heart.start()

    def _acquire(self) -> int:
        deadline = time.monotonic() + _LEFT_OVER_S
        while True:
            descriptor, created = self._open()
            try:
                if self._take(descriptor, created, deadline):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            # The owner before us removed it in between, or is about to be gone.
            os.close(descriptor)

    def _take(self, descriptor: int, created: bool, deadline: float) -> bool:
        """Whether the lock file, as it was opened, is this run's now; else it is to be opened anew.

        deadline: until when a lock may be held by somebody who is not known to live on.
        """
        held = _flock(descriptor, fcntl.LOCK_EX)
        before = None if created else self._owner_before(descriptor)
        if held is False:
            if time.monotonic() > deadline or self._goes_on(before):
                raise self._refusal(before)
            time.sleep(_POLL_S)
            return False
        if before is not None:
            self._check_gone(before, held)
        if not self._is_current(descriptor):
            return False
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, self._me.content(), 0)
        os.fsync(descriptor)
        if before is not None and (held is None or before.host != self._me.host):
            self._check_won()
        return True

    def _open(self) -> tuple[int, bool]:
        """The lock file, and whether it was created here: by one of all that try, on any host."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            try:
                return os.open(self.path, flags | os.O_EXCL, 0o644), True
            except FileExistsError:
                return os.open(self.path, flags, 0o644), False
        except OSError as error:
            raise InputError(
                f"Can't write in {self.path.parent.absolute()}: {error.strerror}.\n"
                f"Choose another place for {self._run_file.name} with {self._option}."
            ) from error

    def _owner_before(self, descriptor: int) -> Owner | None:
        deadline = time.monotonic() + _NAMELESS_S
        while True:
            seen = look(self.path)
            owner = parse_owner(seen[1]) if seen else None
            if owner or not self._is_current(descriptor) or time.monotonic() > deadline:
                return owner
            time.sleep(_NAMELESS_S / 20)

    def _goes_on(self, owner: Owner | None) -> bool:
        """Whether the owner of a lock that is held is known to live on; nothing is known of other
        hosts."""
        return owner is not None and owner.host == self._me.host and owner.goes_on_here()

    def _check_gone(self, before: Owner, held: bool | None) -> None:
        """Raises InputError if the owner whose lock the kernel does not know still lives."""
        if before.host == self._me.host:
            if held is None and before.lives_here():
                raise self._refusal(before)
            return
        if not before.token:
            return  # of an earlier version, which gave no sign of life
        _log.warning(
            "%s was not closed by %s; looking for up to %.0f s whether it still goes on",
            self._run_file,
            before.text,
            owners.STALE_S,
        )
        if self._watch.beats(self.path):
            raise self._refusal(before)

    def _check_won(self) -> None:
        """Raises InputError if somebody else has taken over at the same time."""
        time.sleep(_SETTLE_S)
        seen = look(self.path)
        now = parse_owner(seen[1]) if seen else None
        if now is None or now.token != self._me.token:
            raise self._refusal(now)

    def _refusal(self, owner: Owner | None) -> InputError:
        return InputError(
            f"{self._run_file} belongs to a run that is still going "
            f"({owner.text if owner else 'unknown'}).\n"
            f"Wait for it, or give this run another place with {self._option}. If that process is "
            f"gone for sure, remove {self.path}."
        )

    def _is_current(self, descriptor: int) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        here = os.fstat(descriptor)
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def _beat(self) -> None:
        while not self._ended.wait(owners.BEAT_S):
            try:
                os.utime(self._descriptor)
            except OSError:
                continue  # whoever stores frames finds out what is wrong with the disk

    def close(self) -> None:
        """Gives the run file free."""
        if self._descriptor >= 0:
            self._ended.set()
            self._heart.join()
            if self._is_current(self._descriptor):
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
