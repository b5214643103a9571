"""Everything that is written to a file, in order, and what a kill or a dead node leaves of it."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

PAGE_BYTES = 4096


@dataclass(frozen=True)
class Step:
    """One system call: bytes at a place, a new length, or (with neither) a wait for the disk.

    note: how far the test had come.
    """

    note: int
    offset: int = 0
    data: bytes = b""
    size: int | None = None

    @property
    def is_sync(self) -> bool:
        return not self.data and self.size is None

    def apply(self, image: bytearray) -> None:
        """Does to an image of the file what the call did to the file."""
        if self.size is not None:
            del image[self.size :]
            image.extend(bytes(self.size - len(image)))
        elif self.data:
            image.extend(bytes(max(0, self.offset + len(self.data) - len(image))))
            image[self.offset : self.offset + len(self.data)] = self.data

    def pages(self) -> "list[Step]":
        """The call cut where a kill may cut it: between two pages."""
        steps, start = [], 0
        while start < len(self.data):
            stop = start + PAGE_BYTES - (self.offset + start) % PAGE_BYTES
            steps.append(Step(self.note, self.offset + start, self.data[start:stop]))
            start = stop
        return steps or [self]


class Recorder:
    """Records the calls of this process that change one file, from when it was made.

    note: to be set by the test; goes into the steps. before: the file as it was then.
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[Step] = []
        self.note = 0
        self.before = path.read_bytes()
        self._inode = path.stat().st_ino
        calls = (os.pwrite, os.ftruncate, os.truncate, os.fsync)
        self._pwrite, self._ftruncate, self._truncate, self._fsync = calls
        monkeypatch.setattr(os, "pwrite", self._write)
        monkeypatch.setattr(os, "ftruncate", self._cut)
        monkeypatch.setattr(os, "truncate", self._cut)
        monkeypatch.setattr(os, "fsync", self._sync)

    def _ours(self, descriptor: int) -> bool:
        return os.fstat(descriptor).st_ino == self._inode

    def _write(self, descriptor: int, data: memoryview, offset: int) -> int:
        if self._ours(descriptor):
            self.steps.append(Step(self.note, offset, bytes(data)))
        return self._pwrite(descriptor, data, offset)

    def _cut(self, descriptor: int, size: int) -> None:
        if self._ours(descriptor):
            self.steps.append(Step(self.note, size=size))
        self._ftruncate(descriptor, size)

    def _sync(self, descriptor: int) -> None:
        self._fsync(descriptor)
        if self._ours(descriptor):
            self.steps.append(Step(self.note))


def what_a_dead_node_leaves(
    durable: bytes, since: list[Step], random: np.random.Generator
) -> bytearray:
    """The file on the server: as it was at the last sync, and any of the pages written since."""
    now = bytearray(durable)
    for step in since:
        step.apply(now)
    left = bytearray(durable)
    length = len(durable) if random.random() < 0.3 else len(now)
    Step(0, size=length).apply(left)
    share = random.choice([0.02, 0.5, 0.98])
    written = {
        (step.offset + at) // PAGE_BYTES
        for step in since
        for at in range(0, len(step.data) + PAGE_BYTES - 1, PAGE_BYTES)
    }
    for page in written:
        if random.random() < share:
            place = slice(page * PAGE_BYTES, min((page + 1) * PAGE_BYTES, length, len(now)))
            left[place] = now[place]
    return left
