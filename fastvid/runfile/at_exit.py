"""Files that HDF5 reads and writes through Python, when the interpreter ends.

HDF5 closes what is still open when the process ends. By then there is no Python any more that it
could call, and the process crashes, after a job that may have gone well. A file stays open where a
thread that doesn't come back has it: one that waits for a disk, or whose job broke off.
"""

import atexit
import os
import time
import weakref

import h5py
from h5py import h5f
from h5py._objects import phil  # the lock around HDF5: nothing else tells whether it is taken

from fastvid.errors import EXIT_FAILURE
from fastvid.runfile.patched import PatchedFile
from fastvid.system.streams import flush_streams

# How long a thread may be within HDF5 when the program ends: it may wait for a disk for ever.
_PATIENCE_S = 5.0
_LOOK_AGAIN_S = 0.01

_DRIVER = h5py.h5fd.fileobj_driver
_open: "weakref.WeakSet[PatchedFile]" = weakref.WeakSet()


def close_at_exit(file: PatchedFile) -> None:
    """Has a file object that HDF5 is given closed before the interpreter ends, as it is on the
    disk: nothing more is written to it."""
    _open.add(file)


def _close_all() -> None:
    files = list(_open)
    if not files:
        return
    for file in files:
        file.abandon()
    give_up = time.monotonic() + _PATIENCE_S
    while not phil.acquire(False):
        if time.monotonic() > give_up:  # the interpreter would wait for it without end
            flush_streams()
            os._exit(EXIT_FAILURE)
        time.sleep(_LOOK_AGAIN_S)
    try:
        for identifier in h5f.get_obj_ids(types=h5f.OBJ_FILE):
            if identifier.get_access_plist().get_driver() == _DRIVER:
                h5py.File(identifier).close()
    finally:
        phil.release()


atexit.register(_close_all)
