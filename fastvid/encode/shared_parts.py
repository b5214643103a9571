"""Parts of the video that several ranks encode: which are still to be had, and what has come of
those of others."""

import threading
from collections.abc import Callable
from pathlib import Path

from fastvid.system.files import CheckedFile, storage_errors

# The frames [first, stop).
Part = tuple[int, int]


class PartPool:
    """The parts that nobody has begun. From any thread.

    next_frame: where the first of them begins. end_of_part: where a part ends, from its first
    frame.
    """

    def __init__(self, next_frame: int, end_of_part: Callable[[int], int]) -> None:
        self._next_frame = next_frame
        self._end_of_part = end_of_part
        self._ended = False
        # Of which frames are known, and whether all of them are stored, in the film's order.
        self._parts: dict[Part, bool] = {}
        self._lent: set[Part] = set()
        self._lock = threading.Lock()

    def grow(self, known: int, stored: Callable[[int, int], bool]) -> bool:
        """Takes in the parts of the frames before `known`, which are stored, or will be. Whether
        another part is stored as a whole. stored: whether the frames [start, stop) are."""
        with self._lock:
            while self._next_frame < known:
                self._append()
            whole = [part for part, is_whole in self._parts.items() if not is_whole]
            whole = [part for part in whole if stored(*part)]
            self._parts.update(dict.fromkeys(whole, True))
        return bool(whole)

    def end(self, stop: int) -> None:
        """All frames are stored, and the film ends before `stop`: there is a last part."""
        with self._lock:
            while self._next_frame < stop:
                self._append()
            self._parts = {(first, min(end, stop)): True for first, end in self._parts}
            self._ended = True

    def take(self) -> Part | None:
        """The earliest part, to be encoded here, whether its frames are there or are still to
        come; None if the film has ended and there is none."""
        with self._lock:
            if not (self._parts or self._ended):
                self._append()
            return self._pop(next(iter(self._parts), None))

    def lend(self) -> Part | None:
        """The earliest part that is stored as a whole, to be encoded elsewhere; None if there is
        none."""
        with self._lock:
            part = self._pop(next((part for part, whole in self._parts.items() if whole), None))
            if part is not None:
                self._lent.add(part)
            return part

    def settle(self, part: Part, complete: bool) -> None:
        """A part that was lent is complete, or has to be encoded by somebody else."""
        with self._lock:
            self._lent.remove(part)
            if not complete:
                self._parts = dict(sorted([*self._parts.items(), (part, True)]))

    def left(self) -> bool:
        """Whether there are parts that nobody has begun, or that are lent."""
        with self._lock:
            return bool(self._parts or self._lent)

    def _append(self) -> None:
        end = self._end_of_part(self._next_frame)
        self._parts[self._next_frame, end] = False
        self._next_frame = end

    def _pop(self, part: Part | None) -> Part | None:
        if part is not None:
            del self._parts[part]
        return part


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
