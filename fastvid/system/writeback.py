"""Sending what was written on its way to the disk, without waiting for it."""

import ctypes

# Of sync_file_range(2): begin to write the pages that are not being written.
_WRITE = 2

_sync_file_range = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def begin_writeback(descriptor: int, offset: int, size: int) -> None:
    """Begins to write bytes [offset, offset + size) of a file to the disk, so that a later fsync
    has less to wait for. A hint: where that can't be done, nothing happens, and an error of the
    disk is found by fsync."""
    if _sync_file_range is not None:
        _sync_file_range(descriptor, offset, size, _WRITE)
