"""Mends the end of a run file without a journal whose writer was killed in the middle of a flush.

Run files have a journal since version 2 of the layout; those begun before are continued without.

HDF5 writes the index of a dataset before it writes into the superblock how long the file has become
(HDF5 File Format Specification, II.A: "end of file address"). A kill in between leaves an index
with entries behind the end that HDF5 knows of. Whoever goes on writing is then given the same room
twice, and frames overwrite each other; or, once HDF5 has cut the file at that end, the entries'
frames can't be written any more.
"""

import os
import struct
from pathlib import Path

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Of a superblock of version 0, which h5py writes unless told otherwise: signature, version,
# size of offsets, base address, end of file address.
_VERSION_AT, _OFFSET_SIZE_AT, _BASE_AT, END_AT = 8, 13, 24, 40
_HEAD_BYTES = END_AT + 8


def mend_end(path: Path) -> bool:
    """Tells HDF5 of everything that was written into the run file `path`; whether it had to.

    Nobody may have the file open. Everything that an index points to has been written before, hence
    lies within the file; at worst some room stays unused. Raises OSError.
    """
    with open(path, "r+b") as stream:
        end = noted_end(stream.fileno())
        size = os.fstat(stream.fileno()).st_size
        if end is None or size <= end:
            return False
        # Eight bytes in one place: a kill finds the old number or the new one.
        os.pwrite(stream.fileno(), struct.pack("<Q", size), END_AT)
        return True


def noted_end(descriptor: int) -> int | None:
    """How long an HDF5 file is by its superblock; None if that is not one of a run file. Raises
    OSError."""
    head = os.pread(descriptor, _HEAD_BYTES, 0)
    if len(head) < _HEAD_BYTES or not head.startswith(_SIGNATURE):
        return None
    (base,) = struct.unpack_from("<Q", head, _BASE_AT)
    (end,) = struct.unpack_from("<Q", head, END_AT)
    known = head[_VERSION_AT] == 0 and head[_OFFSET_SIZE_AT] == 8 and base == 0
    return int(end) if known else None
