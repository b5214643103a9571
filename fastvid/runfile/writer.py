"""Writing a run file, so that it can be opened after a kill at any moment.

Frames are written as ready-made chunks and flushed one by one, the segment's marks behind them:
measured with random SIGKILLs, a file that is flushed right after its creation and after every frame
opens and holds every acknowledged frame. Room is reserved before anything is written. To open a
dataset and to read back what is known takes h5py longer than to write a frame: the small datasets
stay open, that of the frames for a segment, and what is looked up for every segment is kept in
memory.
"""

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fastvid.errors import StorageError
from fastvid.runfile import layout
from fastvid.runfile.mend import mend_end
from fastvid.runfile.reserve import give_back, reserve

# What a segment adds beside its frames: index nodes, marks, a table row.
_METADATA_RESERVE_BYTES = 1 << 20


# (rank, host, process, last heard, doing, bytes sent) of each rank.
RankRows = Sequence[tuple[int, str, int, float, str, int]]


@dataclass(frozen=True)
class SegmentRecord:
    """What is stored with a segment: a row of /segments and the timestamps of its frames."""

    index: int
    start: int
    stop: int
    shot: int
    shot_start: int
    rank: int
    host: str
    pts: Sequence[int]
    durations: Sequence[int]
    times: Mapping[str, float]


class RunWriter:
    """The run file of a run that goes on. Used from one thread.

    compression: "none" or "gzip".
    Every method raises StorageError if the file system does not take what is written; what was
    stored before stays readable.
    """

    def __init__(self, path: Path, file: h5py.File, compression: str) -> None:
        self.path = path
        self._file = file
        self._deflate = compression == "gzip"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._tables = {
            name: file[name]
            for name in (
                layout.PTS,
                layout.DURATION,
                layout.STORED,
                layout.ENCODED,
                layout.SHOTS,
                layout.SEGMENTS,
            )
        }
        self._shot_stops: list[int] = self._tables[layout.SHOTS][:]["stop"].tolist()
        self.stored: set[int] = set(np.flatnonzero(self._tables[layout.STORED][:]).tolist())
        self.encoded: set[int] = set(np.flatnonzero(self._tables[layout.ENCODED][:]).tolist())

    @classmethod
    def create(
        cls,
        path: Path,
        height: int,
        width: int,
        attributes: Mapping[str, Any],
        keep: tuple[str, ...],
        compression: str,
    ) -> "RunWriter":
        """Starts a new run file; an old one of that name is replaced once the new one can be opened
        whatever happens."""
        fresh = path.with_name(f".{path.name}.new")
        try:
            file = layout.create(fresh, height, width, keep)
            for name, value in attributes.items():
                layout.set_attribute(file, name, value)
            file.attrs["complete"] = False
            file.flush()
            os.replace(fresh, path)
            return cls(path, file, compression)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise _storage_error(path, error) from error

    @classmethod
    def continue_run(cls, path: Path, compression: str) -> "RunWriter":
        """Opens the run file of an unfinished run."""
        try:
            mend_end(path)
            return cls(path, h5py.File(path, "r+", locking=False), compression)
        except OSError as error:
            raise _storage_error(path, error) from error

    @property
    def complete(self) -> bool:
        """Whether the run that the file belongs to came to its end."""
        return bool(self._file.attrs["complete"])

    def has(self, start: int, stop: int) -> bool:
        """Whether all frames of [start, stop) are stored."""
        return all(index in self.stored for index in range(start, stop))

    def store(
        self,
        record: SegmentRecord,
        frames: Sequence[np.ndarray],
        flows: Sequence[np.ndarray] = (),
        occlusions: Sequence[np.ndarray] = (),
    ) -> None:
        """Stores a finished segment; when this returns, its frames survive the process."""
        try:
            size = sum(a.nbytes for group in (frames, flows, occlusions) for a in group)
            reserve(self._descriptor, size + _METADATA_RESERVE_BYTES)
            self._store_times(record)
            self._store_frames(record, frames)
            for name, images in ((layout.FLOW, flows), (layout.OCCLUSION, occlusions)):
                if images:
                    layout.grow(self._file[name], record.stop)
                    self._file[name][record.start : record.stop] = np.stack(images)
            self._store_rows(record)
            self._file.flush()
            marks = np.ones(record.stop - record.start, dtype=np.uint8)
            layout.write_rows(self._tables[layout.STORED], record.start, marks)
            self._file.flush()
        except OSError as error:
            raise _storage_error(self.path, error) from error
        self.stored.update(range(record.start, record.stop))

    def read_frame(self, index: int) -> np.ndarray:
        """A stored frame, (H, W, 3) uint8 RGB."""
        try:
            frame: np.ndarray = self._file[layout.FRAMES][index]
            return frame
        except OSError as error:
            raise _storage_error(self.path, error) from error

    def read_time(self, index: int) -> tuple[int, int]:
        """Timestamp and duration of a stored frame, in units of the time base."""
        pts, duration = self._tables[layout.PTS], self._tables[layout.DURATION]
        return int(pts[index]), int(duration[index])

    def mark_encoded(self, start: int, stop: int) -> None:
        """Notes that the frames [start, stop) are safely encoded and their pixels may go."""
        try:
            layout.write_rows(
                self._tables[layout.ENCODED], start, np.ones(stop - start, dtype=np.uint8)
            )
            self._file.flush()
        except OSError as error:
            raise _storage_error(self.path, error) from error
        self.encoded.update(range(start, stop))

    def free(self, start: int, stop: int) -> None:
        """Frees the pixels of the frames [start, stop); the file reuses their room for later
        ones."""
        try:
            dataset = self._file[layout.FRAMES]
            black = zlib.compress(bytes(math.prod(dataset.chunks)), layout.DEFLATE_LEVEL)
            for index in range(start, stop):
                dataset.id.write_direct_chunk((index, 0, 0, 0), black)
                self._file.flush()
        except OSError as error:
            raise _storage_error(self.path, error) from error

    def note_ranks(self, rows: RankRows) -> None:
        """Writes what was last heard of each rank."""
        table = np.zeros(len(rows), dtype=layout.RANK_DTYPE)
        for position, (rank, host, process, heard, doing, sent) in enumerate(rows):
            table[position] = (rank, host.encode(), process, heard, doing.encode(), sent)
        try:
            self._file[layout.RANKS].resize(len(rows), axis=0)
            self._file[layout.RANKS][:] = table
            self._file.flush()
        except OSError as error:
            raise _storage_error(self.path, error) from error

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Writes attributes of the whole run."""
        try:
            for name, value in attributes.items():
                layout.set_attribute(self._file, name, value)
            self._file.flush()
        except OSError as error:
            raise _storage_error(self.path, error) from error

    def close(self) -> None:
        """Closes the file."""
        try:
            self._file.close()
            if self._descriptor >= 0:
                give_back(self._descriptor)
        except OSError as error:
            raise _storage_error(self.path, error) from error
        finally:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _store_times(self, record: SegmentRecord) -> None:
        for name, values in ((layout.PTS, record.pts), (layout.DURATION, record.durations)):
            layout.write_rows(self._tables[name], record.start, np.asarray(values, dtype=np.int64))
        for name in (layout.STORED, layout.ENCODED):
            layout.grow(self._tables[name], record.stop)

    def _store_frames(self, record: SegmentRecord, frames: Sequence[np.ndarray]) -> None:
        # Opened for each segment: HDF5 remembers of an open dataset that the chunk last written
        # has no filters to skip, and can't read it back.
        dataset = self._file[layout.FRAMES]
        layout.grow(dataset, record.stop)
        for index, frame in zip(range(record.start, record.stop), frames, strict=True):
            chunk, place = np.ascontiguousarray(frame), (index, 0, 0, 0)
            if self._deflate:
                packed = zlib.compress(chunk.data, layout.DEFLATE_LEVEL)
                dataset.id.write_direct_chunk(place, packed)
            else:
                dataset.id.write_direct_chunk(place, chunk.data, filter_mask=layout.SKIP_DEFLATE)
            self._file.flush()

    def _store_rows(self, record: SegmentRecord) -> None:
        stops = self._shot_stops
        stops += [0] * (record.shot + 1 - len(stops))
        if stops[record.shot] < record.stop:
            stops[record.shot] = record.stop
            shot = np.array([(record.shot_start, record.stop)], dtype=layout.SHOT_DTYPE)
            layout.write_rows(self._tables[layout.SHOTS], record.shot, shot)
        row = np.zeros(1, dtype=layout.SEGMENT_DTYPE)
        for name in ("start", "stop", "shot", "rank"):
            row[name] = getattr(record, name)
        row["host"] = record.host.encode("utf-8")
        for name, value in record.times.items():
            row[name] = value
        layout.write_rows(self._tables[layout.SEGMENTS], record.index, row)


def _storage_error(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(
        f"{path} can't be written any further: {reason}.\n"
        "What was finished before is kept: make room and start the same command again."
    )


def to_json(value: object) -> str:
    """The text of a settings attribute, in a fixed order."""
    return json.dumps(value, sort_keys=True)
