"""Writing a run file, so that it can be opened after a kill at any moment, and holds what it says
after the loss of a node.

Frames are written as ready-made chunks, straight to their place; everything else goes through the
journal, all of a segment at once. To open a dataset and to read back what is known takes h5py
longer than to write a frame: the small datasets stay open, that of the frames for a segment, and
what is looked up for every segment is kept in memory.

Run files of version 1 have no journal. They are continued as they were begun: flushed after every
frame, the segment's marks behind them, and synced from time to time.
"""

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastvid.errors import StorageError
from fastvid.runfile import layout
from fastvid.runfile.journal import begin_journal
from fastvid.runfile.recover import recover
from fastvid.runfile.run_id import RunId, read_run_id
from fastvid.runfile.safe_file import SafeFile, deflated
from fastvid.system.files import sync_folder

# What a segment adds beside its frames: index nodes, marks, a table row.
_METADATA_RESERVE_BYTES = 256 << 10
_ROWS_AT_ONCE = 512

_TABLES = (
    layout.PTS,
    layout.DURATION,
    layout.STORED,
    layout.ENCODED,
    layout.SHOTS,
    layout.SEGMENTS,
)

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

    def __init__(self, path: Path, place: int | None, compression: str) -> None:
        self.path = path
        self._deflate = compression == "gzip"
        self._safe = SafeFile(path, place)
        self._file = self._safe.hdf5
        self._tables = {name: self._file[name] for name in _TABLES}
        # The rows of a run that is continued follow those of before: there, segments may have been
        # others, as they depend on the number of ranks.
        rows_before = len(self._tables[layout.SEGMENTS])
        self._next_row = rows_before or None
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
        regions: Sequence[str] = (),
    ) -> "RunWriter":
        """Starts a new run file; an old one of that name is replaced once the new one can be opened
        whatever happens. regions: the names of those whose weights are kept."""
        fresh = path.with_name(f".{path.name}.new")
        try:
            with layout.create(fresh, height, width, keep, regions) as file:
                for name, value in attributes.items():
                    layout.set_attribute(file, name, value)
                file.attrs["complete"] = False
                file.flush()
                place = layout.journal_place(file)
            with fresh.open("r+b") as stream:
                begin_journal(stream.fileno(), place)
            os.replace(fresh, path)
            sync_folder(path.parent)
            return cls(path, place, compression)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise _storage_error(path, error) from error

    @classmethod
    def continue_run(cls, path: Path, compression: str) -> "RunWriter":
        """Opens the run file of an unfinished run."""
        try:
            return cls(path, recover(path), compression)
        except OSError as error:
            raise _storage_error(path, error) from error

    @property
    def complete(self) -> bool:
        """Whether the run that the file belongs to came to its end."""
        return bool(self._file.attrs["complete"])

    @property
    def run_id(self) -> RunId:
        """The identity of the run."""
        return read_run_id(self._file, self.path)

    def has(self, start: int, stop: int) -> bool:
        """Whether all frames of [start, stop) are stored."""
        return all(index in self.stored for index in range(start, stop))

    def gaps(self) -> set[int]:
        """The frames with which a gap among the stored ones begins or ends."""
        ends = {index + 1 for index in self.stored if index + 1 not in self.stored}
        return ends | {index for index in self.stored if index and index - 1 not in self.stored}

    def store(
        self,
        record: SegmentRecord,
        frames: Sequence[np.ndarray],
        flows: Sequence[np.ndarray] = (),
        occlusions: Sequence[np.ndarray] = (),
        weights: Sequence[np.ndarray] = (),
    ) -> None:
        """Stores a finished segment; when this returns, its frames survive the process."""
        with self._writing():
            size = sum(a.nbytes for group in (frames, flows, occlusions, weights) for a in group)
            self._safe.reserve(size + _METADATA_RESERVE_BYTES)
            self._store_times(record)
            self._store_frames(record, frames)
            self._store_kept(layout.FLOW, record.start, flows)
            self._store_kept(layout.OCCLUSION, record.start, occlusions)
            self._store_kept(layout.WEIGHTS, record.start, weights)
            self._store_rows(record)
            self._safe.before_marks()
            marks = np.ones(record.stop - record.start, dtype=np.uint8)
            layout.write_rows(self._tables[layout.STORED], record.start, marks)
            self._safe.commit()
        self.stored.update(range(record.start, record.stop))

    def read_frame(self, index: int) -> np.ndarray:
        """A stored frame, (H, W, 3) uint8 RGB."""
        try:
            dataset = self._file[layout.FRAMES]
            raw = layout.raw_chunk(dataset, index)
            frame: np.ndarray = dataset[index] if raw is None else raw
            return frame
        except OSError as error:
            raise _storage_error(self.path, error) from error

    def read_time(self, index: int) -> tuple[int, int]:
        """Timestamp and duration of a stored frame, in units of the time base."""
        pts, duration = self._tables[layout.PTS], self._tables[layout.DURATION]
        return int(pts[index]), int(duration[index])

    def mark_encoded(self, start: int, stop: int) -> None:
        """Notes that the frames [start, stop) are safely encoded and their pixels may go. Waits
        until that is on the disk."""
        with self._writing():
            marks = np.ones(stop - start, dtype=np.uint8)
            layout.write_rows(self._tables[layout.ENCODED], start, marks)
            self._safe.sync()
        self.encoded.update(range(start, stop))

    def free(self, start: int, stop: int) -> None:
        """Frees the pixels of the frames [start, stop); the file reuses their room for later
        ones."""
        with self._writing():
            dataset = self._file[layout.FRAMES]
            black = zlib.compress(bytes(math.prod(dataset.chunks)), layout.DEFLATE_LEVEL)
            for index in range(start, stop):
                self._safe.write_chunk(dataset, index, black)
                self._safe.commit()

    def note_ranks(self, rows: RankRows) -> None:
        """Writes what was last heard of each rank."""
        table = np.zeros(len(rows), dtype=layout.RANK_DTYPE)
        for position, (rank, host, process, heard, doing, sent) in enumerate(rows):
            table[position] = (rank, host.encode(), process, heard, doing.encode(), sent)
        with self._writing():
            ranks = self._file[layout.RANKS]
            ranks.resize(len(rows), axis=0)
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                ranks[start : start + _ROWS_AT_ONCE] = table[start : start + _ROWS_AT_ONCE]
                self._safe.commit()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Writes attributes of the whole run; they are on the disk when this returns."""
        with self._writing():
            for name, value in attributes.items():
                layout.set_attribute(self._file, name, value)
            self._safe.sync()

    def close(self) -> None:
        """Closes the file, whatever state it is in."""
        with self._writing():
            self._safe.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What goes wrong becomes a StorageError, and the file stays as it was before."""
        try:
            yield
        except OSError as error:
            self._safe.abandon()
            raise _storage_error(self.path, error) from error

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
            if self._deflate:
                self._safe.write_chunk(dataset, index, deflated(frame))
            else:
                pixels = np.ascontiguousarray(frame).data
                self._safe.write_chunk(dataset, index, pixels, layout.SKIP_DEFLATE)
            self._safe.between_frames()

    def _store_kept(self, name: str, start: int, images: Sequence[np.ndarray]) -> None:
        if not images:
            return
        dataset = self._file[name]
        layout.grow(dataset, start + len(images))
        for index, image in enumerate(images, start):
            chunk = deflated(image.astype(dataset.dtype, copy=False), dataset.shuffle)
            self._safe.write_chunk(dataset, index, chunk)
            self._safe.between_frames()

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
        place = record.index if self._next_row is None else self._next_row
        layout.write_rows(self._tables[layout.SEGMENTS], place, row)
        if self._next_row is not None:
            self._next_row += 1


def _storage_error(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(
        f"{path} can't be written any further: {reason}.\n"
        "What was finished before is kept: make room and start the same command again."
    )


def to_json(value: object) -> str:
    """The text of a settings attribute, in a fixed order."""
    return json.dumps(value, sort_keys=True)
