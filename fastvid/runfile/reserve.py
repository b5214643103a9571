"""Room on the disk, taken before it is written to: a disk that fills up in the middle of a flush
would take the run file with it."""

import ctypes
import errno
import os
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
    """Takes `size` bytes behind the end of an open file from the disk; its size stays.

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
    # The blocks stay only as long as the file is so long; to give them back takes milliseconds.
    os.posix_fallocate(descriptor, end, size)
    os.truncate(descriptor, end)


def give_back(descriptor: int) -> None:
    """Returns what was reserved and not used."""
    os.truncate(descriptor, os.fstat(descriptor).st_size)
