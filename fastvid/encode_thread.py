"""Rank 0's encoding: frames in order into parts, in a thread, while the ranks compute."""

import glob
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from fastvid.errors import InputError
from fastvid.video.encode import OutputPlan

QUEUE_FRAMES = 8
# With --discard-frames a part is closed, and its frames are freed, after this many frames.
PART_FRAMES = 240
_POLL_S = 0.02


class PartEncoder(Protocol):
    """One part of the encoded video (`OutputPlan.open_encoder`)."""

    def write(self, image: np.ndarray, pts: int, duration: int) -> None:
        """Encodes a frame."""

    def close(self) -> None:
        """Finishes the part; from here on it is safe on the disk."""

    def abort(self) -> None:
        """Removes the unfinished part."""


def part_folder(output: Path) -> Path:
    """Where the parts of an output lie until they are put together."""
    return output.with_name(f".{output.name}.parts")


@dataclass
class EncoderThread:
    """Encodes frames in order into parts.

    part_frames: frames in a part, None for one part. parts: the closed ones, as (first frame, end,
    path). seconds: time spent encoding. failed: called in the thread with what went wrong.
    """

    plan: OutputPlan
    folder: Path
    threads: int
    part_frames: int | None
    parts: list[tuple[int, int, Path]] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._queue: queue.Queue[tuple[int, np.ndarray, int, int] | None] = queue.Queue(
            QUEUE_FRAMES)
        self._part: PartEncoder | None = None
        self._first = 0
        self._cancelled = False
        self.failed: Callable[[BaseException], None] = _ignore
        self._thread = threading.Thread(target=self._run, name="fastvid-encode", daemon=True)

    def take_over(self, stop: int) -> None:
        """Counts the parts of an earlier run, which hold the frames before `stop`, as closed.

        Raises InputError if one of them is gone.
        """
        starts = list(range(0, stop, self.part_frames or stop))
        for first, end in zip(starts, [*starts[1:], stop]):
            if not self._path(first).exists():
                raise InputError(
                    f"{self._path(first)} is gone, which held frames that --discard-frames freed.\n"
                    "Start over with --restart."
                )
            self.parts.append((first, end, self._path(first)))

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def room(self) -> bool:
        """Whether `put` would not wait."""
        return not self._queue.full()

    def put(self, index: int, image: np.ndarray, pts: int, duration: int) -> None:
        """Takes the next frame; waits while the queue is full."""
        self._queue.put((index, image, pts, duration))

    def finish(self) -> None:
        """Says that no frame will follow, and waits until the last part is closed."""
        self._queue.put(None)
        self._thread.join()

    def cancel(self) -> None:
        """Drops what is not encoded yet and removes the unfinished part."""
        self._cancelled = True
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=_POLL_S)
                break
            except queue.Full:
                continue
        self._thread.join()

    def _run(self) -> None:
        stop = self._first
        try:
            while (item := self._queue.get()) is not None:
                if self._cancelled:
                    continue
                began = time.perf_counter()
                index, image, pts, duration = item
                if self._part is None:
                    self._first = index
                    self._part = self.plan.open_encoder(self._path(index), threads=self.threads)
                self._part.write(image, pts, duration)
                stop = index + 1
                if self.part_frames is not None and stop - self._first >= self.part_frames:
                    self._close_part(stop)
                self.seconds += time.perf_counter() - began
            if self._cancelled and self._part is not None:
                self._part.abort()
            elif self._part is not None:
                began = time.perf_counter()
                self._close_part(stop)
                self.seconds += time.perf_counter() - began
        except BaseException as error:  # handed to the main thread, whatever it is
            if self._part is not None:
                self._part.abort()
            self.failed(error)
            while self._queue.get() is not None:
                pass  # whoever puts frames must not wait for ever

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:09d}.part"

    def _close_part(self, stop: int) -> None:
        assert self._part is not None
        self._part.close()
        self._part = None
        self.parts.append((self._first, stop, self._path(self._first)))


def remove_leftovers(output: Path) -> None:
    """Removes what a killed run left beside its output while it put that together."""
    for path in output.parent.glob(f".{glob.escape(output.name)}.part-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _ignore(error: BaseException) -> None:
    """The thread has nobody to report to."""


def clear_parts(folder: Path) -> None:
    """Removes the parts of an output."""
    shutil.rmtree(folder, ignore_errors=True)
