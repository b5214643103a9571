"""Room on the disk, taken before it is written to, so that a disk that is full or a quota that is
used up is noticed between two segments and not within one.

Where the file system has no such call (NFS before 4.2, older Lustre, ZFS), it is only asked for its
free room. A copy-on-write file system takes new room for what is overwritten, whatever was
reserved. There a write may fail after all; the journal keeps what was stored before.
"""

import ctypes
import errno
import os
import resource
from collections.abc import Callable
from typing import cast

# Of fallocate(2): the file keeps its size, HDF5 counts its own end.
_KEEP_SIZE = 1
# Where the file system, or the system, has no such call.
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS)

# (descriptor, mode, offset, length) -> 0, or -1 and errno.
Fallocate = Callable[[int, int, int, int], int]


def system_fallocate() -> Fallocate | None:
    """Returns fallocate(2) of the C library; None where it has none."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
    if function is None:
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return cast(Fallocate, function)


_FALLOCATE = system_fallocate()


def reserve(descriptor: int, size: int, fallocate: Fallocate | None = _FALLOCATE) -> None:
    """Takes `size` bytes behind the end of an open file from the disk; its size stays. Without a
    call for that, sees whether there seems to be room.

    Raises OSError (ENOSPC, EDQUOT, EFBIG) if they are not to be had.
    """
    end = os.fstat(descriptor).st_size
    while fallocate is not None:
        if fallocate(descriptor, _KEEP_SIZE, end, size) == 0:
            return
        number = ctypes.get_errno()
        if number in _UNSUPPORTED:
            break
        if number != errno.EINTR:  # a warning signal that comes meanwhile
            raise OSError(number, os.strerror(number))
    _look_for_room(descriptor, end, size)


def _look_for_room(descriptor: int, end: int, size: int) -> None:
    # The C library's posix_fallocate would write a byte into every block.
    longest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if longest != resource.RLIM_INFINITY and end + size > longest:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    system = os.fstatvfs(descriptor)
    if system.f_bavail * system.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def give_back(descriptor: int) -> None:
    """Returns what was reserved and not used."""
    os.truncate(descriptor, os.fstat(descriptor).st_size)
