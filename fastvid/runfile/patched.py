"""A run file as it is with the changes of its journal, for reading."""

import os
import struct
import threading
from collections.abc import Iterable
from typing import Any

from fastvid.runfile.journal import PAGE_BYTES, Change
from fastvid.runfile.mend import END_AT


class PatchedFile:
    """A file that h5py reads, with pages that are not in their place yet.

    descriptor: of the file on the disk; it stays open. What lies behind its end reads as zeros.
    h5py calls the methods; the pages may be looked at from another thread as well.
    """

    def __init__(self, descriptor: int, changes: Iterable[Change] = ()) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._lock = threading.Lock()
        self._pages: dict[int, bytearray] = {}
        for change in changes:
            self._patch(change.offset, memoryview(change.data))

    def abandon(self) -> None:
        """Nothing more reaches the file; there is nothing to do for one that is only read."""

    def size(self) -> int:
        """Bytes of the file: what is there, or what its first page says where more was written than
        has reached the disk."""
        size = os.fstat(self._descriptor).st_size
        if 0 in self._pages:
            (end,) = struct.unpack_from("<Q", self._pages[0], END_AT)
            size = max(size, end)
        return size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a place, counted from the beginning or the end."""
        self._position = offset + (self.size() if whence == os.SEEK_END else 0)
        return self._position

    def tell(self) -> int:
        """The place that is read or written next."""
        return self._position

    def read(self, size: int) -> bytes:
        """The next bytes; h5py looks for this method and uses `readinto`."""
        buffer = bytearray(size)
        self.readinto(buffer)
        return bytes(buffer)

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer from where the file stands."""
        view, start = memoryview(buffer).cast("B"), self._position
        with self._lock:
            there = 0
            while there < len(view):
                count = os.preadv(self._descriptor, [view[there:]], start + there)
                if count == 0:
                    view[there:] = bytes(len(view) - there)
                    break
                there += count
            for page in self._known_pages(start, len(view)):
                begin = page * PAGE_BYTES
                first, last = max(start, begin), min(start + len(view), begin + PAGE_BYTES)
                view[first - start : last - start] = self._pages[page][first - begin : last - begin]
        self._position += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        """A file that is read is not written to."""
        raise OSError("opened for reading")

    def truncate(self, size: int) -> int:
        """A file that is read keeps its size."""
        return size

    def flush(self) -> None:
        """There is nothing to be written."""

    def _known_pages(self, offset: int, size: int) -> list[int]:
        """The changed pages that hold some of bytes [offset, offset + size)."""
        pages = range(offset // PAGE_BYTES, -(-(offset + size) // PAGE_BYTES))
        if len(pages) < len(self._pages):
            return [page for page in pages if page in self._pages]
        return [page for page in self._pages if page in pages]

    def _load(self, page: int) -> bytearray:
        """A page to be changed."""
        there = self._pages.get(page)
        if there is None:
            content = os.pread(self._descriptor, PAGE_BYTES, page * PAGE_BYTES)
            there = self._pages[page] = bytearray(content.ljust(PAGE_BYTES, b"\0"))
        return there

    def _patch(self, offset: int, data: memoryview) -> None:
        done = 0
        while done < len(data):
            page, first = divmod(offset + done, PAGE_BYTES)
            count = min(PAGE_BYTES - first, len(data) - done)
            self._load(page)[first : first + count] = data[done : done + count]
            done += count
