"""Parts of the video that other ranks encode: which are still to be had, and what has come of
them."""

import threading
from collections.abc import Sequence
from pathlib import Path

from fastvid.system.files import CheckedFile, storage_errors

# The frames [first, stop).
Part = tuple[int, int]


class PartPool:
    """The parts that nobody has begun. From any thread."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = sorted(parts)
        self._lent: set[Part] = set()
        self._lock = threading.Lock()

    def take(self) -> Part | None:
        """The earliest part, to be encoded here; None if there is none."""
        with self._lock:
            return self._parts.pop(0) if self._parts else None

    def lend(self) -> Part | None:
        """The earliest part, to be encoded elsewhere; None if there is none."""
        with self._lock:
            if not self._parts:
                return None
            part = self._parts.pop(0)
            self._lent.add(part)
            return part

    def settle(self, part: Part, complete: bool) -> None:
        """A part that was lent is complete, or has to be encoded by somebody else."""
        with self._lock:
            self._lent.remove(part)
            if not complete:
                self._parts = sorted([*self._parts, part])

    def left(self) -> bool:
        """Whether there are parts that nobody has begun, or that are lent."""
        with self._lock:
            return bool(self._parts or self._lent)


class ArrivingParts:
    """The files of the parts that are arriving, in `folder`. Used from one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[int, CheckedFile] = {}

    def add(self, first: int, content: bytes) -> None:
        """Takes the next bytes of the part from frame `first` on. Raises StorageError."""
        path = self._path(first)
        with storage_errors(path):
            if first not in self._open:
                self._open[first] = CheckedFile(path)
            self._open[first].write(content)

    def complete(self, first: int) -> Path:
        """The file of a part that has arrived whole; it is safe on the disk. Raises
        StorageError."""
        self._open.pop(first).finish()
        return self._path(first)

    def discard(self, first: int) -> None:
        """Removes what has come of a part, if anything has."""
        if first in self._open:
            self._open.pop(first).discard()

    def discard_all(self) -> None:
        """Removes whatever has not arrived whole."""
        for first in list(self._open):
            self.discard(first)

    def _path(self, first: int) -> Path:
        return self._folder / f"arriving-{first}"
