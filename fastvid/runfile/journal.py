"""The journal of a run file: what HDF5 has changed and is not in its place yet.

HDF5 overwrites its indexes in place, several pieces for one change; a kill between two of them
leaves an index that can't be used any more. So these changes go into the journal first, all of a
segment in one record, and into their places later, when the record is known to be on the disk.
Whoever opens the file after a kill reads the records and has the file as the last of them left it.

The journal is a dataset of the file itself, so that a copy of the file is complete: a page with
MAGIC and the number of the session, then two areas that are used in turn. While one is filled, the
other one holds what was put in its place last; only the newer generation of the session counts.
Records, little-endian, follow each other from the beginning of an area: a head (see _HEAD), the
numbers of changes and claims, a table of each, the changed bytes. A record counts if its checksum
is right and all records before it count.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MAGIC = b"fastvid journal\0"
PAGE_BYTES = 4096
AREA_BYTES = 512 << 10
JOURNAL_BYTES = PAGE_BYTES + 2 * AREA_BYTES
# It is the first dataset of a file, hence near its beginning, and begins on a page.
_SEARCHED_PAGES = 16
# Far above any file.
_MAX_OFFSET = 1 << 60

_SESSION = struct.Struct("<Q")
_RECORD_MARK = b"FVJR"
# Mark, position in the area, session, generation, bytes of content, checksum of all this with 0 in
# its place and of the content.
_HEAD = struct.Struct("<4sIQQII")
_COUNTS = struct.Struct("<II")
_CHANGE = struct.Struct("<QI")
_CLAIM = struct.Struct("<QQQI")


class Change(NamedTuple):
    """Bytes that belong at a place in the file."""

    offset: int
    data: bytes


class Claim(NamedTuple):
    """A chunk that was written straight to its place: of which frame, where, how many bytes, and
    their checksum. It counts if it is found there."""

    frame: int
    offset: int
    size: int
    checksum: int

    def holds(self, descriptor: int) -> bool:
        """Whether the chunk is in its place. Raises OSError if that can't be read."""
        return chunk_checksum(os.pread(descriptor, self.size, self.offset)) == self.checksum


def chunk_checksum(chunk: bytes | memoryview) -> int:
    """32 bits that tell whether every page of a chunk is there and in its order: the CRC-32 of the
    pages' sums. A quarter of the time that a CRC-32 of all bytes takes."""
    words = np.frombuffer(chunk, np.uint8)
    whole = len(words) - len(words) % PAGE_BYTES
    sums = words[:whole].view(np.uint64).reshape(-1, PAGE_BYTES // 8).sum(axis=1, dtype=np.uint64)
    return zlib.crc32(words[whole:].data, zlib.crc32(sums.data))


class Record(NamedTuple):
    """What one record says."""

    changes: list[Change]
    claims: list[Claim]


class Journal:
    """Writes the journal of an open file; one that was just created or recovered.

    descriptor: of the file. place: where the journal begins in it. Methods raise OSError.
    """

    def __init__(self, descriptor: int, place: int) -> None:
        self._descriptor = descriptor
        self._areas = [place + PAGE_BYTES, place + PAGE_BYTES + AREA_BYTES]
        self._place = place
        self._session = _session(descriptor, place)
        self._generation = self._position = self._used = 0

    def check_owned(self) -> None:
        """Raises OSError if somebody else has continued the file since: a process that was taken
        for dead must not write any more."""
        if _session(self._descriptor, self._place) != self._session:
            raise OSError("another run has taken it over")

    def append(self, changes: Sequence[Change], claims: Sequence[Claim]) -> bool:
        """Adds a record; false if the area has no room for it."""
        parts = [_COUNTS.pack(len(changes), len(claims))]
        parts += [_CHANGE.pack(change.offset, len(change.data)) for change in changes]
        parts += [_CLAIM.pack(*claim) for claim in claims]
        content = b"".join([*parts, *(change.data for change in changes)])
        if self._used + _HEAD.size + len(content) > AREA_BYTES:
            return False
        facts = (_RECORD_MARK, self._position, self._session, self._generation, len(content))
        checksum = zlib.crc32(content, zlib.crc32(_HEAD.pack(*facts, 0)))
        area = self._areas[self._generation % 2]
        write_all(self._descriptor, _HEAD.pack(*facts, checksum) + content, area + self._used)
        self._used += _HEAD.size + len(content)
        self._position += 1
        return True

    def turn(self) -> None:
        """Goes on in the other area: everything so far is in its place, for good."""
        self._generation += 1
        self._position = self._used = 0


def begin_journal(descriptor: int, place: int) -> None:
    """Makes an empty journal of JOURNAL_BYTES bytes at a place in a file. Raises OSError."""
    # Written, not left out: its room must be there when the disk is full.
    write_all(descriptor, MAGIC.ljust(JOURNAL_BYTES, b"\0"), place)
    end_session(descriptor, place)


def end_session(descriptor: int, place: int) -> None:
    """Says that nothing is left to be put into its place, for good. Raises OSError.

    Eight bytes in one place: a kill finds the old number or the new one.
    """
    write_all(descriptor, os.urandom(_SESSION.size), place + len(MAGIC))
    os.fsync(descriptor)


def _session(descriptor: int, place: int) -> int:
    data = os.pread(descriptor, _SESSION.size, place + len(MAGIC))
    return int(_SESSION.unpack(data.ljust(_SESSION.size, b"\0"))[0])


def find_journal(descriptor: int) -> int | None:
    """Where the journal of a file begins; None without one. Raises OSError."""
    head = os.pread(descriptor, _SEARCHED_PAGES * PAGE_BYTES, 0)
    for place in range(0, len(head), PAGE_BYTES):
        if head.startswith(MAGIC, place):
            return place
    return None


def read_journal(descriptor: int, place: int) -> list[Record]:
    """The records that count, in order; empty if everything is in its place. Raises OSError."""
    newest: tuple[int, list[Record]] = (-1, [])
    session = _session(descriptor, place)
    for number in range(2):
        area = os.pread(descriptor, AREA_BYTES, place + PAGE_BYTES + number * AREA_BYTES)
        newest = max(newest, _read_area(area, session), key=lambda found: found[0])
    return newest[1]


def _read_area(area: bytes, session: int) -> tuple[int, list[Record]]:
    """The generation of an area, -1 if it is empty, and its records."""
    records: list[Record] = []
    generation = -1
    start = 0
    while start + _HEAD.size <= len(area):
        *facts, size, checksum = _HEAD.unpack_from(area, start)
        mark, position, of_session, of_generation = facts
        if (mark, position, of_session) != (_RECORD_MARK, len(records), session):
            break
        if records and of_generation != generation:
            break  # left over from an earlier use of the area
        content = area[start + _HEAD.size : start + _HEAD.size + size]
        if checksum != zlib.crc32(content, zlib.crc32(_HEAD.pack(*facts, size, 0))):
            break
        record = _parse(content)
        if record is None:
            break
        generation = of_generation
        records.append(record)
        start += _HEAD.size + size
    return generation, records


def _parse(content: bytes) -> Record | None:
    """None for what no writer has written."""
    try:
        change_count, claim_count = _COUNTS.unpack_from(content)
        start = _COUNTS.size
        sizes, start = _table(_CHANGE, content, start, change_count)
        claims, start = _table(_CLAIM, content, start, claim_count)
    except struct.error:
        return None
    changes = []
    for offset, size in sizes:
        if offset > _MAX_OFFSET:
            return None
        changes.append(Change(offset, content[start : start + size]))
        start += size
    return Record(changes, [Claim(*claim) for claim in claims]) if start == len(content) else None


def _table(
    row: struct.Struct, content: bytes, start: int, count: int
) -> tuple[list[tuple[int, ...]], int]:
    stop = start + count * row.size
    if stop > len(content):
        raise struct.error
    return list(row.iter_unpack(content[start:stop])), stop


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Writes all of `data` at a place in a file. Raises OSError."""
    rest = memoryview(data).cast("B")
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        offset += written
        rest = rest[written:]
