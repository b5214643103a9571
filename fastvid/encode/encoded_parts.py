"""The parts of an output that are encoded already, as they lie on the disk.

A part is a run of frames that begins with a key frame. Once closed it is safe: a run that was
stopped or killed goes on behind its last closed part, and with --discard-frames the frames in it
may go.
"""

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fastvid.encode.plan import OutputPlan
from fastvid.system.files import storage_errors

# About the distance of key frames that encoders choose by themselves, so that parts cost nothing.
PART_FRAMES = 240
_SETTINGS_NAME = "settings"
_PART_NAME = re.compile(r"(\d{9})-(\d{9})\.part")


class EncodedPart(NamedTuple):
    """The frames [first, stop), encoded in the file, or folder of images, at `path`."""

    first: int
    stop: int
    path: Path


def part_folder(output: Path) -> Path:
    """Where the parts of an output lie until they are put together."""
    return output.with_name(f".{output.name}.parts")


class EncodedParts:
    """The closed parts of one output. May be added to from any thread.

    plan: how they are encoded. part_frames: the length of a part. closed: those that follow each
    other from the first frame on. folder: where they lie; it is there after `take_over`.
    """

    def __init__(self, plan: OutputPlan, part_frames: int = PART_FRAMES) -> None:
        self.plan = plan
        self.part_frames = part_frames
        self.folder = part_folder(plan.path)
        self.closed: list[EncodedPart] = []
        # By first frame: closed, while one before them is not.
        self._early: dict[int, EncodedPart] = {}
        self._lock = threading.Lock()

    @property
    def next_frame(self) -> int:
        """The first frame behind the closed parts."""
        return self.closed[-1].stop if self.closed else 0

    def end_of_part(self, index: int) -> int:
        """Where the part ends that the frame belongs to; parts are of equal length, so that they do
        not depend on who encodes them."""
        return index + self.part_frames - (index % self.part_frames)

    def take_over(self, stored: Callable[[int, int], bool]) -> None:
        """Counts the parts that an earlier run has closed, as far as they follow each other and
        were encoded in the same way; clears the folder of all others.

        stored: whether the frames [start, stop) belong to the run. Raises StorageError.
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
                        self.closed.append(EncodedPart(first, stop, path))
            else:
                self.clear()
            self.folder.mkdir(exist_ok=True)
            settings.write_text(self._settings(), encoding="utf-8")

    def add(self, first: int, stop: int, path: Path) -> None:
        """Counts a part that is complete at `path`, in any order; takes the file. Raises
        StorageError."""
        name = self.folder / f"{first:09d}-{stop:09d}.part"
        with storage_errors(name):
            path.rename(name)
        with self._lock:
            self._early[first] = EncodedPart(first, stop, name)
            while self.next_frame in self._early:
                self.closed.append(self._early.pop(self.next_frame))

    def clear(self) -> None:
        """Removes the folder and what is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _settings(self) -> str:
        plan = self.plan
        return (
            f"{plan.codec} {plan.crf} {plan.preset} {plan.width}x{plan.height} {plan.pix_fmt} "
            f"{plan.time_base}\n"
        )
