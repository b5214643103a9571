"""A run file that HDF5 writes through a journal: it survives a kill at any moment, and the loss of
everything that had not reached the disk."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from fastvid.runfile.at_exit import close_at_exit
from fastvid.runfile.journal import (
    PAGE_BYTES,
    Change,
    Claim,
    Journal,
    chunk_checksum,
    end_session,
    write_all,
)
from fastvid.runfile.patched import PatchedFile
from fastvid.runfile.writeback_thread import WritebackThread

# What is on the disk for sure is at most so old. Each time costs two waits for the disk.
SYNC_INTERVAL_S = 5.0
# So many changed bytes at most go into one record; twice as many fit into the journal.
_PENDING_BYTES = 128 << 10
# Changes are noted in pieces of so many bytes.
_PIECE_BYTES = 256
# Objects as large as this begin on a page of their own.
_ALIGN_FROM_BYTES = 16 << 10


def open_hdf5(file: Path | PatchedFile, mode: str) -> h5py.File:
    """Opens a path or a file object as HDF5, with the settings of all run files."""
    if isinstance(file, PatchedFile):
        close_at_exit(file)
    return h5py.File(
        file,
        mode,
        locking=False,
        alignment_threshold=_ALIGN_FROM_BYTES,
        alignment_interval=PAGE_BYTES,
    )


class _Chunk(NamedTuple):
    """A chunk of a frame that goes straight to its place."""

    frame: int
    size: int


class JournaledFile(PatchedFile):
    """The file object that h5py writes through. Used from one thread; another one may read.

    What HDF5 writes stays in memory until `commit`. Chunks of frames, which nothing refers to until
    then, go straight to their place within `straight`. Methods raise OSError; after that nothing
    more reaches the file, which stays as the last `commit` left it.
    """

    def __init__(self, path: Path, place: int) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        super().__init__(self.descriptor)
        self._place = place
        self._journal = Journal(self.descriptor, place)
        self._end = self._settled_end = self.size()
        self._before: dict[int, bytes] = {}  # pages as the last commit left them
        self._straight: _Chunk | None = None
        self._claims: list[Claim] = []
        self._writeback = WritebackThread(self.descriptor)
        self._failed = False
        self._synced = time.monotonic()

    @contextmanager
    def straight(self, frame: int, size: int) -> Iterator[None]:
        """Within it, what is written in one piece of `size` bytes is that chunk of a frame."""
        self._straight = _Chunk(frame, size)
        try:
            yield
        finally:
            self._straight = None

    def write(self, data: Any) -> int:
        """Takes what HDF5 writes where the file stands."""
        view, offset = memoryview(data).cast("B"), self._position
        self._position += len(view)
        if self._failed:
            return len(view)
        with self._failing():
            known: Sequence[int] | None = None
            if self._straight is not None and self._straight.size == len(view):
                write_all(self.descriptor, view, offset)
                frame, size = self._straight
                self._claims.append(Claim(frame, offset, size, chunk_checksum(view)))
                known = self._known_pages(offset, len(view))
            with self._lock:
                self._change(offset, view, known)
        return len(view)

    def truncate(self, size: int) -> int:
        """HDF5 says how long the file is: it is made longer, but shorter only by `close`."""
        with self._failing():
            if not self._failed and os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
        self._end = size
        return size

    def check_owned(self) -> None:
        """Whether the file is still this writer's alone; OSError if not."""
        with self._failing():
            self._journal.check_owned()

    def crowded(self) -> bool:
        """Whether so much was changed that it is time to `commit`."""
        return len(self._before) * PAGE_BYTES >= _PENDING_BYTES

    def commit(self) -> None:
        """What was written so far survives the process, all of it or nothing.

        From time to time it also waits until everything is on the disk. To be called when HDF5 has
        been flushed.
        """
        if self._failed:
            return
        with self._failing():
            self._journal.check_owned()
            changes = self._changes()
            claims, self._claims = self._claims, []
            if changes or claims:
                self._note(changes, claims)
            self._before.clear()
            self._writeback.begin([(claim.offset, claim.size) for claim in claims])
            if time.monotonic() - self._synced > SYNC_INTERVAL_S:
                self._put_in_place()

    def sync(self) -> None:
        """Commits, and waits until everything is on the disk and in its place."""
        self.commit()
        if not self._failed:
            with self._failing():
                self._put_in_place()

    def abandon(self) -> None:
        """Nothing more reaches the file."""
        self._failed = True

    def close(self) -> None:
        """Puts everything in its place, cuts the file behind its end and closes it."""
        if self.descriptor < 0:
            return
        try:
            if not self._failed:
                self.sync()
                # What was reserved behind the end goes back as well.
                os.truncate(self.descriptor, self._end)
                end_session(self.descriptor, self._place)
        finally:
            self._writeback.end()
            os.close(self.descriptor)
            self.descriptor = -1

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._failed = True
            raise

    def _change(self, offset: int, view: memoryview, known: Sequence[int] | None) -> None:
        """Changes pages in memory; with `known` only these, the others are written already."""
        if known is None:
            known = range(offset // PAGE_BYTES, -(-(offset + len(view)) // PAGE_BYTES))
        for page in known:
            begin = page * PAGE_BYTES
            first, last = max(offset, begin), min(offset + len(view), begin + PAGE_BYTES)
            content = self._load(page)
            if page not in self._before:
                self._before[page] = bytes(content)
            content[first - begin : last - begin] = view[first - offset : last - offset]

    def _changes(self) -> list[Change]:
        """What the pages have become since the last commit."""
        changes = []
        for page, before in self._before.items():
            after = self._pages[page]
            if before == after:
                continue
            place = page * PAGE_BYTES
            first: int | None = None
            for piece in range(0, PAGE_BYTES, _PIECE_BYTES):
                end = piece + _PIECE_BYTES
                if before[piece:end] != after[piece:end]:
                    first = piece if first is None else first
                elif first is not None:
                    changes.append(Change(place + first, bytes(after[first:piece])))
                    first = None
            if first is not None:
                changes.append(Change(place + first, bytes(after[first:])))
        return changes

    def _note(self, changes: list[Change], claims: list[Claim]) -> None:
        if self._journal.append(changes, claims):
            return
        self._put_in_place()
        if not self._journal.append(changes, claims):
            size = sum(len(change.data) for change in changes)
            raise OSError(f"a change of {size} bytes is too large for the journal")

    def _put_in_place(self) -> None:
        """Writes what was committed to where it belongs, once all of it is on the disk."""
        os.fsync(self.descriptor)
        # What is new before what points to it, so that any HDF5 library opens the file meanwhile.
        known = self._settled_end // PAGE_BYTES
        for pages in (range(known + 1, self._end // PAGE_BYTES + 1), range(known + 1)):
            for offset, data in self._runs(pages):
                write_all(self.descriptor, data, offset)
        os.fsync(self.descriptor)
        self._settled_end = self._end
        self._journal.turn()
        with self._lock:
            self._pages = {page: self._pages[page] for page in self._before}
        self._synced = time.monotonic()

    def _runs(self, pages: range) -> Iterator[tuple[int, bytes]]:
        """Those of the committed pages, neighbours in one piece."""
        run: list[bytes] = []
        first = 0
        for page in sorted(page for page in self._pages if page in pages):
            if run and page != first + len(run):
                yield first * PAGE_BYTES, b"".join(run)
                run = []
            if not run:
                first = page
            run.append(self._before.get(page) or bytes(self._pages[page]))
        if run:
            yield first * PAGE_BYTES, b"".join(run)
