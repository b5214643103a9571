"""Rank 0's encoding: frames in order into parts, in a thread, while the ranks compute.

A part is a run of frames that begins with a key frame. Once closed it is safe on the disk: a run
that was stopped or killed goes on behind its last closed part, and with --discard-frames the frames
in it may go.
"""

import glob
import queue
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from fastvid.encode.output import open_encoder
from fastvid.encode.plan import OutputPlan
from fastvid.system.allocator import give_back_freed_memory
from fastvid.system.files import storage_errors
from fastvid.system.stopwatch import Stopwatch

QUEUE_FRAMES = 8
# About the distance of key frames that encoders choose by themselves, so that parts cost nothing.
PART_FRAMES = 240
_OPEN_NAME = "open"
_SETTINGS_NAME = "settings"
_PART_NAME = re.compile(r"(\d{9})-(\d{9})\.part")
_POLL_S = 0.02
_ENCODER_THREADS_MAX = 4


class PartEncoder(Protocol):
    """One part of the encoded video (`fastvid.encode.output.open_encoder`)."""

    def write(self, image: np.ndarray, pts: int, duration: int) -> None:
        """Encodes a frame."""

    def close(self) -> None:
        """Finishes the part; from here on it is safe on the disk."""

    def abort(self) -> None:
        """Removes the unfinished part."""


def encoder_threads(threads: int, outputs: int) -> int:
    """The threads of each of so many encoders. threads: of the rank that they share."""
    return max(1, min(threads // outputs, _ENCODER_THREADS_MAX))


def part_folder(output: Path) -> Path:
    """Where the parts of an output lie until they are put together."""
    return output.with_name(f".{output.name}.parts")


@dataclass
class EncoderThread:
    """Encodes frames in order into parts.

    folder: where the parts lie. open_part: begins one. parts: the closed ones, as (first frame,
    end, path). busy: the time that encoding takes. failed: called in the thread with what went
    wrong.
    """

    plan: OutputPlan
    folder: Path
    threads: int
    part_frames: int = PART_FRAMES
    open_part: Callable[[OutputPlan, Path, int], PartEncoder] = open_encoder
    parts: list[tuple[int, int, Path]] = field(default_factory=list)
    busy: Stopwatch = field(default_factory=Stopwatch)

    def __post_init__(self) -> None:
        self._queue: queue.Queue[tuple[int, np.ndarray, int, int] | None] = queue.Queue(
            QUEUE_FRAMES
        )
        self._part: PartEncoder | None = None
        self._first = self._stop = 0
        self._lock = threading.Lock()
        # Closed, while one before them is not: first frame to (first frame, end, path).
        self._early: dict[int, tuple[int, int, Path]] = {}
        self._cancelled = False
        self.failed: Callable[[BaseException], None] = _ignore
        self._thread = threading.Thread(target=self._run, name="fastvid-encode", daemon=True)

    @property
    def next_frame(self) -> int:
        """The first frame behind the closed parts."""
        return self.parts[-1][1] if self.parts else 0

    def take_over(self, stored: Callable[[int, int], bool]) -> None:
        """Counts the parts that an earlier run has closed, as far as they follow each other and
        were encoded in the same way; clears the folder of all others.

        stored: whether the frames [start, stop) belong to the run.
        """
        settings = self.folder / _SETTINGS_NAME
        with storage_errors(self.folder):
            if settings.is_file() and settings.read_text(encoding="utf-8") == self._settings():
                for path in sorted(self.folder.iterdir()):
                    name = _PART_NAME.fullmatch(path.name)
                    if name is None:
                        continue
                    first, stop = int(name[1]), int(name[2])
                    if first == self.next_frame and stored(first, stop):
                        self.parts.append((first, stop, path))
            else:
                clear_parts(self.folder)
            self.folder.mkdir(exist_ok=True)
            settings.write_text(self._settings(), encoding="utf-8")

    def _settings(self) -> str:
        plan = self.plan
        return (
            f"{plan.codec} {plan.crf} {plan.preset} {plan.width}x{plan.height} {plan.pix_fmt} "
            f"{plan.time_base}\n"
        )

    def part_end(self, index: int) -> int:
        """Where the part ends that the frame belongs to; parts are of equal length, so that they do
        not depend on who encodes them."""
        return index + self.part_frames - (index % self.part_frames)

    def add_part(self, first: int, stop: int, path: Path) -> None:
        """Counts a part that is complete at `path`, in any order; takes the file."""
        name = self.folder / f"{first:09d}-{stop:09d}.part"
        with storage_errors(name):
            path.rename(name)
        with self._lock:
            self._early[first] = (first, stop, name)
            while self.next_frame in self._early:
                self.parts.append(self._early.pop(self.next_frame))

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
        try:
            while (item := self._queue.get()) is not None:
                if not self._cancelled:
                    with self.busy:
                        self._encode(*item)
                # Or the thread would keep the frame alive while it waits for the next.
                del item
            if self._cancelled and self._part is not None:
                self._part.abort()
            elif self._part is not None:
                with self.busy:
                    self._close_part()
        except BaseException as error:  # handed to the main thread, whatever it is
            if self._part is not None:
                self._part.abort()
            self.failed(error)
            while self._queue.get() is not None:
                pass  # whoever puts frames must not wait for ever

    def _encode(self, index: int, image: np.ndarray, pts: int, duration: int) -> None:
        if self._part is not None and index != self._stop:
            self._close_part()  # somebody else has encoded what follows it
        if self._part is None:
            self._first = index
            self._part = self.open_part(self.plan, self.folder / _OPEN_NAME, self.threads)
        self._part.write(image, pts, duration)
        self._stop = index + 1
        if self._stop == self.part_end(index):
            self._close_part()

    def _close_part(self) -> None:
        assert self._part is not None
        self._part.close()
        self._part = None
        # An encoder takes tens of megabytes; the next one does not fit into the holes it leaves.
        give_back_freed_memory()
        self.add_part(self._first, self._stop, self.folder / _OPEN_NAME)


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
