"""The journal's records and checksums, by themselves."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastvid.runfile.journal import (
    AREA_BYTES,
    JOURNAL_BYTES,
    PAGE_BYTES,
    Change,
    Claim,
    Journal,
    begin_journal,
    chunk_checksum,
    end_session,
    find_journal,
    read_journal,
)

PLACE = 2 * PAGE_BYTES
CHANGES = [Change(7, b"seven"), Change(9000, b"x" * 300)]
CLAIMS = [Claim(3, 4096, 100, 12345)]


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    begin_journal(number, PLACE)
    yield number
    os.close(number)


def test_what_was_written_is_read(descriptor: int) -> None:
    assert find_journal(descriptor) == PLACE and read_journal(descriptor, PLACE) == []
    assert os.fstat(descriptor).st_size == PLACE + JOURNAL_BYTES
    journal = Journal(descriptor, PLACE)
    assert journal.append(CHANGES, CLAIMS) and journal.append([], CLAIMS)
    assert read_journal(descriptor, PLACE) == [(CHANGES, CLAIMS), ([], CLAIMS)]
    end_session(descriptor, PLACE)
    assert read_journal(descriptor, PLACE) == []


def test_the_newer_generation_counts(descriptor: int) -> None:
    journal = Journal(descriptor, PLACE)
    for number in range(5):
        for _ in range(5 - number):  # what an earlier use of the area has left is longer
            assert journal.append([Change(number, b"n")], [])
        found = read_journal(descriptor, PLACE)
        assert [record.changes for record in found] == [[Change(number, b"n")]] * (5 - number)
        journal.turn()


def test_an_area_is_filled_to_its_end(descriptor: int) -> None:
    journal = Journal(descriptor, PLACE)
    count = 0
    while journal.append([Change(count, bytes(10000))], []):
        count += 1
    assert 45 < count < AREA_BYTES / 10000
    assert len(read_journal(descriptor, PLACE)) == count
    journal.turn()
    assert journal.append([Change(0, b"next")], [])
    assert len(read_journal(descriptor, PLACE)) == 1


@pytest.mark.parametrize("at", range(0, 140, 3))
def test_a_damaged_record_ends_the_journal(descriptor: int, at: int) -> None:
    journal = Journal(descriptor, PLACE)
    journal.append([], CLAIMS)
    first = journal._used
    journal.append([Change(1, b"second" * 20)], [])
    journal.append([], CLAIMS)
    place = PLACE + PAGE_BYTES + first + at
    byte = os.pread(descriptor, 1, place)
    os.pwrite(descriptor, bytes([byte[0] ^ 1]), place)
    assert read_journal(descriptor, PLACE) == [([], CLAIMS)]


@pytest.mark.parametrize("size", [0, 1, 100, PAGE_BYTES, 3 * PAGE_BYTES + 17, 8 * PAGE_BYTES])
def test_a_checksum_tells_what_is_missing(size: int) -> None:
    random = np.random.default_rng(size)
    chunk = random.integers(0, 256, size, np.uint8)
    right = chunk_checksum(chunk.tobytes())
    assert chunk_checksum(chunk.data) == right
    for page in range(0, size, PAGE_BYTES):
        for other in (0, random.integers(0, 256, len(chunk[page : page + PAGE_BYTES]), np.uint8)):
            changed = chunk.copy()
            changed[page : page + PAGE_BYTES] = other
            assert chunk_checksum(changed.tobytes()) != right
    if size >= 2 * PAGE_BYTES:
        pages = chunk.copy()
        pages[: 2 * PAGE_BYTES] = np.roll(chunk[: 2 * PAGE_BYTES], PAGE_BYTES)
        assert chunk_checksum(pages.tobytes()) != right
