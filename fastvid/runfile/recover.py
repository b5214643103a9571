"""Puts a run file in order whose writer did not come to close it: killed, or gone with its node."""

import os
import struct
from pathlib import Path

import numpy as np

from fastvid.runfile import layout
from fastvid.runfile.journal import (
    Claim,
    Record,
    end_session,
    find_journal,
    read_journal,
    write_all,
)
from fastvid.runfile.journaled import open_hdf5
from fastvid.runfile.mend import END_AT, mend_end
from fastvid.runfile.short import as_long_as_noted


def recover(path: Path) -> int | None:
    """Puts everything that the journal of a run file holds into its place, and takes the mark from
    frames that did not reach the disk. Nobody may have the file open.

    Returns where the journal is; None for a file of version 1, which has none. A kill in the middle
    does no harm: whoever comes next begins from the same records. Raises OSError, KeyError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        place = find_journal(descriptor)
        if place is None:
            short = as_long_as_noted(descriptor)
            if short is not None:
                os.ftruncate(descriptor, short.size())
            mend_end(path)
            return None
        records = read_journal(descriptor, place)
        if records:
            _replay(descriptor, records)
            missing = {claim.frame for claim in missing_claims(descriptor, records)}
            if missing:
                _unmark(path, missing)
            os.fsync(descriptor)
        end_session(descriptor, place)
        return place
    finally:
        os.close(descriptor)


def missing_claims(descriptor: int, records: list[Record]) -> list[Claim]:
    """The chunks that some record counts on and that are not there."""
    return [c for record in records for c in record.claims if not c.holds(descriptor)]


def _replay(descriptor: int, records: list[Record]) -> None:
    for record in records:
        for change in record.changes:
            write_all(descriptor, change.data, change.offset)
    # Frames at the end may not have reached the disk; HDF5 opens no file that is too short.
    (end,) = struct.unpack("<Q", os.pread(descriptor, 8, END_AT))
    if os.fstat(descriptor).st_size < end:
        os.ftruncate(descriptor, end)
    os.fsync(descriptor)


def _unmark(path: Path, frames: set[int]) -> None:
    """Takes the mark from frames that are not there. Those that were encoded since have gone for
    good reason."""
    with open_hdf5(path, "r+") as file:
        encoded = file[layout.ENCODED][:]
        stored = file[layout.STORED]
        gone = np.array(sorted(frame for frame in frames if frame < len(stored)), np.int64)
        gone = gone[encoded[gone] == 0]
        if len(gone):
            stored[gone] = 0
