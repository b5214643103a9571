"""An open run file that is written to: through its journal, or without one where it has none."""

import os
import time
import zlib
from pathlib import Path

import h5py
import numpy as np

from fastvid.runfile import layout
from fastvid.runfile.journaled import SYNC_INTERVAL_S, JournaledFile, open_hdf5
from fastvid.runfile.reserve import give_back, reserve


class SafeFile:
    """A run file that survives a kill between any two writes, and a node that dies.

    place: of its journal; None for a file of version 1, which has none: it is flushed after every
    frame instead, with the marks behind what they mark, and synced from time to time. hdf5: the
    file as h5py has it. Methods raise OSError; `abandon` is to be called then.
    """

    def __init__(self, path: Path, place: int | None) -> None:
        self._journaled = None if place is None else JournaledFile(path, place)
        self.hdf5 = open_hdf5(path if self._journaled is None else self._journaled, "r+")
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._synced = time.monotonic()

    def reserve(self, size: int) -> None:
        """Takes room from the disk for what is written next, if the file is still this writer's."""
        if self._journaled is not None:
            self._journaled.check_owned()
        reserve(self._descriptor, size)

    def write_chunk(
        self, dataset: h5py.Dataset, index: int, chunk: bytes | memoryview, filter_mask: int = 0
    ) -> None:
        """Writes the chunk of frame `index`, filtered as `filter_mask` says."""
        place = (index,) + (0,) * (dataset.ndim - 1)
        if self._journaled is None:
            dataset.id.write_direct_chunk(place, chunk, filter_mask)
        else:
            with self._journaled.straight(index, len(memoryview(chunk).cast("B"))):
                dataset.id.write_direct_chunk(place, chunk, filter_mask)

    def between_frames(self) -> None:
        """To be called between two frames of a segment."""
        if self._journaled is None or self._journaled.crowded():
            self.commit()

    def before_marks(self) -> None:
        """To be called before what was written is marked as complete."""
        if self._journaled is None:
            self.hdf5.flush()

    def commit(self) -> None:
        """What was written so far survives the process; from time to time, also the node."""
        self.hdf5.flush()
        if self._journaled is not None:
            self._journaled.commit()
        elif time.monotonic() - self._synced > SYNC_INTERVAL_S:
            self.sync()

    def sync(self) -> None:
        """What was written so far survives the node."""
        self.hdf5.flush()
        if self._journaled is not None:
            self._journaled.sync()
        else:
            os.fsync(self._descriptor)
            self._synced = time.monotonic()

    def abandon(self) -> None:
        """Writing has failed: nothing more reaches the file, which stays as it was committed."""
        if self._journaled is not None:
            self._journaled.abandon()

    def close(self) -> None:
        """Closes the file, with all in its place and on the disk, unless it was abandoned. Harmless
        when called again."""
        if self._descriptor < 0:
            return
        try:
            self.hdf5.close()
            if self._journaled is None:
                give_back(self._descriptor)
                os.fsync(self._descriptor)
            else:
                self._journaled.close()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1


def deflated(image: np.ndarray, shuffle: bool = False) -> bytes:
    """An image through HDF5's filters: with `shuffle` the first byte of every value, then the
    second ones, and so on; then deflate."""
    values = np.ascontiguousarray(image)
    if shuffle:
        by_value = values.view(np.uint8).reshape(-1, values.itemsize)
        values = np.ascontiguousarray(by_value.T)
    return zlib.compress(values.data, layout.DEFLATE_LEVEL)
