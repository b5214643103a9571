"""Reading a run file, which may come from anybody: checked first, and nothing outside it is
touched."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from fastvid.errors import InputError
from fastvid.runfile import layout
from fastvid.runfile.at_exit import close_at_exit
from fastvid.runfile.journal import Claim, find_journal, read_journal
from fastvid.runfile.patched import PatchedFile
from fastvid.runfile.run_id import RunId, read_run_id
from fastvid.runfile.short import as_long_as_noted

# Far above any video: a claim beyond it is damage, not data.
_MAX_SIDE_PX = 65535
_REQUIRED = (
    layout.FRAMES,
    layout.PTS,
    layout.DURATION,
    layout.STORED,
    layout.ENCODED,
    layout.SHOTS,
    layout.SEGMENTS,
    layout.RANKS,
)


class RunFile:
    """A run file opened for reading; a context manager.

    frame_count: frames known so far. height, width: of each. time_base: seconds, unit of pts.
    Raises InputError if the file is missing, is no run file or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._stack = ExitStack()
        # By frame: what the journal says of chunks that may not have reached the disk.
        self._claims: dict[int, list[Claim]] = {}
        self._file = self._open()
        try:
            self._check()
        except (
            InputError,
            OSError,
            KeyError,
            TypeError,
            ValueError,
            ArithmeticError,
            RuntimeError,
        ) as error:
            self.close()
            if isinstance(error, InputError):
                raise
            raise self._damaged(str(error)) from error

    def _open(self) -> h5py.File:
        """Opens the file, with what its journal has for it if its writer has not closed it."""
        path = self.path
        if not path.exists():
            raise InputError(f"There is no run file {path}.")
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a run file.")
        try:
            stream = self._stack.enter_context(path.open("rb"))
            self._descriptor = stream.fileno()
            place = find_journal(self._descriptor)
            records = [] if place is None else read_journal(self._descriptor, place)
            for claim in (claim for record in records for claim in record.claims):
                self._claims.setdefault(claim.frame, []).append(claim)
            changes = [change for record in records for change in record.changes]
            source: PatchedFile | None = None
            if changes:
                source = PatchedFile(self._descriptor, changes)
            elif place is None:
                source = as_long_as_noted(self._descriptor)
            if source is not None:
                close_at_exit(source)
            return self._stack.enter_context(h5py.File(source or path, "r", locking=False))
        except (OSError, RuntimeError, ArithmeticError, ValueError) as error:
            self._stack.close()
            reason = "it can't be opened as HDF5"
            if isinstance(error, PermissionError):
                reason = "you may not read it"
            raise InputError(f"{path} is not a usable run file: {reason}.") from error

    def _check(self) -> None:
        if not is_run_file(self._file):
            raise InputError(f"{self.path} is an HDF5 file, but not a run file of fastvid.")
        version = int(self._attribute("format_version"))
        if version not in layout.READABLE_VERSIONS:
            raise InputError(
                f"{self.path} has version {version} of the run file's layout; this fastvid reads "
                f"versions up to {layout.FORMAT_VERSION}."
            )
        for name in _REQUIRED:
            self._check_dataset(name)
        frames = self._file[layout.FRAMES]
        self.frame_count, self.height, self.width = (int(side) for side in frames.shape[:3])
        sides = (self.height, self.width)
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise self._damaged(f"{layout.FRAMES} is {frames.shape} {frames.dtype}")
        if not all(1 <= side <= _MAX_SIDE_PX for side in sides) or frames.chunks != (1, *sides, 3):
            raise self._damaged(f"{layout.FRAMES} is {frames.shape} in chunks of {frames.chunks}")
        for name in (layout.PTS, layout.DURATION, layout.STORED, layout.ENCODED):
            if self._file[name].shape != (self.frame_count,):
                raise self._damaged(f"{name} has not one entry a frame")
        for name, columns in (
            (layout.SHOTS, layout.SHOT_DTYPE),
            (layout.SEGMENTS, layout.SEGMENT_DTYPE),
            (layout.RANKS, layout.RANK_DTYPE),
        ):
            if self._file[name].dtype != columns:
                raise self._damaged(f"the table {name} has other columns")
        numerator, denominator = (int(part) for part in self._attribute("time_base"))
        self.time_base = Fraction(numerator, denominator)
        numerator, denominator = (int(part) for part in self._attribute("average_rate"))
        self.average_rate = Fraction(numerator, denominator)
        if self.time_base <= 0 or self.average_rate <= 0:
            raise self._damaged("its time base or frame rate is not positive")
        self.keeps_flow = self._check_kept(layout.FLOW, (2,), np.float32)
        self.keeps_occlusion = self._check_kept(layout.OCCLUSION, (), np.uint8)
        self.keeps_weights = self._check_weights()
        self.stored = self._file[layout.STORED][:].astype(bool)
        self.encoded = self._file[layout.ENCODED][:].astype(bool)

    def _check_dataset(self, name: str) -> None:
        """Only datasets stored in the file itself count: a link could read any file of the user."""
        group, _, leaf = name.rpartition("/")
        parent = self._file
        for part in [group] if group else []:
            if not isinstance(parent.get(part, getlink=True), h5py.HardLink):
                raise self._damaged(f"{part} is missing")
            parent = parent[part]
        if not isinstance(parent.get(leaf, getlink=True), h5py.HardLink):
            raise self._damaged(f"{name} is missing")
        dataset = parent[leaf]
        if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
            raise self._damaged(f"{name} is not stored in the file")

    def _check_kept(self, name: str, channels: tuple[int, ...], dtype: type) -> bool:
        """Whether the run kept a dataset of one item a frame."""
        if name.partition("/")[0] not in self._file:
            return False
        self._check_dataset(name)
        dataset, item = self._file[name], (self.height, self.width, *channels)
        if dataset.shape[1:] != item or dataset.dtype != dtype or dataset.chunks != (1, *item):
            raise self._damaged(f"{name} is {dataset.shape} {dataset.dtype}")
        return True

    def _check_weights(self) -> bool:
        """Whether the run kept the weights of its regions."""
        if layout.WEIGHTS.partition("/")[0] not in self._file:
            return False
        self._check_dataset(layout.WEIGHTS)
        weights = self._file[layout.WEIGHTS]
        item = weights.shape[1:]
        good = weights.ndim == 4 and item[1:] == (self.height, self.width) and item[0] < 256
        if not good or weights.dtype != np.uint8 or weights.chunks != (1, *item):
            raise self._damaged(f"{layout.WEIGHTS} is {weights.shape} {weights.dtype}")
        return True

    def _damaged(self, what: str) -> InputError:
        return InputError(
            f"{self.path} is damaged: {what}.\n"
            "Start the run again with --restart, which replaces the file."
        )

    def _attribute(self, name: str) -> Any:
        return layout.read_attribute(self._file, name)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Whatever HDF5 raises about a damaged file becomes an InputError."""
        try:
            yield
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise self._damaged(f"{what} can't be read") from error

    @property
    def complete(self) -> bool:
        """Whether the run that made the file came to its end."""
        with self._reading("its state"):
            return bool(self._attribute("complete"))

    @property
    def run_id(self) -> RunId:
        """The identity of the run."""
        with self._reading("its identity"):
            return read_run_id(self._file, self.path)

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the whole run, texts as str."""
        with self._reading("an attribute"):
            return {str(name): self._attribute(name) for name in self._file.attrs}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that shape the picture, as they were recorded."""
        with self._reading("its settings"):
            settings = json.loads(self._attribute("settings"))
        if not isinstance(settings, dict):
            raise self._damaged("its settings are not a table")
        return settings

    def frame(self, index: int) -> np.ndarray:
        """Frame `index`, (H, W, 3) uint8 RGB. Raises InputError if it is missing or unreadable."""
        if not (0 <= index < self.frame_count) or not self.stored[index]:
            raise InputError(f"{self.path} does not hold frame {index} (yet).")
        if self.encoded[index]:
            raise InputError(
                f"{self.path} does not hold frame {index} any more: it was freed by "
                "--discard-frames after it had been encoded."
            )
        with self._reading(f"frame {index}"):
            if not all(claim.holds(self._descriptor) for claim in self._claims.get(index, ())):
                raise OSError("it has not reached the disk")
        return self._read(layout.FRAMES, index)

    def flow(self, index: int) -> np.ndarray:
        """The kept backward flow of a frame, (H, W, 2) float32 pixels; zero at a shot's first."""
        return self._read_kept(layout.FLOW, index)

    def occlusion(self, index: int) -> np.ndarray:
        """The kept mask of a frame, (H, W) uint8: 1 where the flow can't be trusted, else 0."""
        return self._read_kept(layout.OCCLUSION, index)

    def weights(self, index: int) -> np.ndarray:
        """The kept shares of the regions of a frame, (regions, H, W) uint8, 255 for all."""
        return self._read_kept(layout.WEIGHTS, index)

    def _read_kept(self, name: str, index: int) -> np.ndarray:
        if name.partition("/")[0] not in self._file or not 0 <= index < len(self._file[name]):
            raise InputError(f"{self.path} does not hold /{name} of frame {index}.")
        return self._read(name, index)

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        """Timestamps and durations of all frames, (N,) int64 each, in units of `time_base`."""
        return self._read(layout.PTS), self._read(layout.DURATION)

    def shots(self) -> list[tuple[int, int]]:
        """(start, stop) of each shot."""
        return [(int(row["start"]), int(row["stop"])) for row in self._read(layout.SHOTS)]

    def segments(self) -> np.ndarray:
        """The table of segments, dtype `layout.SEGMENT_DTYPE`."""
        return self._read(layout.SEGMENTS)

    def ranks(self) -> np.ndarray:
        """What was last heard of each rank, dtype `layout.RANK_DTYPE`."""
        return self._read(layout.RANKS)

    def _read(self, name: str, index: int | slice = slice(None)) -> np.ndarray:
        with self._reading(name if isinstance(index, slice) else f"frame {index}"):
            content: np.ndarray = self._file[name][index]
            return content

    def close(self) -> None:
        """Closes the file."""
        self._stack.close()

    def __enter__(self) -> "RunFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_run_file(file: h5py.File) -> bool:
    """Whether an open HDF5 file says that it is a run file."""
    try:
        return bool(layout.read_attribute(file, "format") == layout.FORMAT_NAME)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError):
        return False
