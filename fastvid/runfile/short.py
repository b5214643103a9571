"""A run file without a journal that is shorter than HDF5 has noted, because its writer was killed.

HDF5 gives room away, and notes it in the superblock, before anything is written there; freed room
at the end comes back so with `--discard-frames`. It then refuses the file as truncated, although
nothing of it is missing.
"""

import os

import h5py
import numpy as np

from fastvid.runfile import layout
from fastvid.runfile.journal import Change
from fastvid.runfile.mend import END_AT, noted_end
from fastvid.runfile.patched import PatchedFile


def as_long_as_noted(descriptor: int) -> PatchedFile | None:
    """The file with zeros for its missing end, for h5py to read; None if the end is not missing, or
    if frames that count would lie there: such a file was cut off. Raises OSError."""
    end, size = noted_end(descriptor), os.fstat(descriptor).st_size
    if end is None or size >= end:
        return None
    noted = Change(END_AT, end.to_bytes(8, "little"))
    try:
        with h5py.File(PatchedFile(descriptor, [noted]), "r", locking=False) as file:
            whole = _frames_lie_before(size, file)
    except (OSError, KeyError, ValueError, RuntimeError):
        return None
    return PatchedFile(descriptor, [noted]) if whole else None


def _frames_lie_before(size: int, file: h5py.File) -> bool:
    """Whether the chunks of all frames that can be read end before `size` bytes."""
    frames = file[layout.FRAMES]
    readable = (file[layout.STORED][:] != 0) & (file[layout.ENCODED][:] == 0)
    for index in np.flatnonzero(readable).tolist():
        chunk = frames.id.get_chunk_info_by_coord((index, 0, 0, 0))
        if chunk.byte_offset is None or chunk.byte_offset + chunk.size > size:
            return False
    return True
