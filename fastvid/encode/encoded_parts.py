"""The parts of an output that are encoded already, as they lie on the disk.

A part is a run of frames that begins with a key frame. Once closed it is safe: a run that was
stopped or killed goes on behind its last closed part, and with --discard-frames the frames in it
may go. The parts bear the identity of their run, and no other run goes on from them.
"""

import re
import shutil
import threading
from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from fastvid.encode.parts_label import PartsLabel, is_label
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.runfile.run_id import RunId
from fastvid.system.files import storage_errors, sync_folder

# About the distance of key frames that encoders choose by themselves, so that parts cost nothing.
PART_FRAMES = 240
# Shorter parts of short films keep many ranks busy to the end; each costs a key frame.
_SHORTEST_PART_FRAMES = 24
_PARTS_OF_A_FILM = 160
# At the end of a film nothing is left but the last parts, which come all at once: each is at most a
# quarter of what is left.
_SHARE_OF_THE_END = 4
_LAST_PART_FRAMES = 6
_PART_NAME = re.compile(r"(\d{9})-(\d{9})\.part")
# So NFS calls a file that was removed while somebody had it open; it goes by itself.
_NFS_DELETED = ".nfs"


class EncodedPart(NamedTuple):
    """The frames [first, stop), encoded in the file, or folder of images, at `path`."""

    first: int
    stop: int
    path: Path


def part_frames_of(frames: int) -> int:
    """The length of the parts of a film of so many frames, on any number of ranks.

    On R ranks a part of P frames, whose encoding takes e seconds each, adds P e to a film of N
    frames that takes N c / R of painting and encoding. With c = 8 e that is a twentieth at 64 ranks
    if P = N / 160.
    """
    return max(_SHORTEST_PART_FRAMES, min(PART_FRAMES, frames // _PARTS_OF_A_FILM))


def end_of_part(index: int, part_frames: int, frames: int) -> int:
    """Where the part ends that a frame belongs to: a matter of the film alone, whoever encodes it.

    part_frames: how long parts are; towards the end of a film of so many frames they are shorter.
    Frames that come behind that end are in parts of the full length.
    """
    stop = 0
    # What begins up to here is a full part.
    last_full = frames - _SHARE_OF_THE_END * part_frames
    if last_full >= 0:
        stop = min(index, last_full) // part_frames * part_frames + part_frames
    while stop <= index:
        stop += _part_length(frames - stop, part_frames)
    return stop


def _part_length(left: int, part_frames: int) -> int:
    """The length of the part with which the last `left` frames begin."""
    if left <= 0:
        return part_frames
    length = min(part_frames, max(_LAST_PART_FRAMES, left // _SHARE_OF_THE_END))
    # No part for the last frame or two.
    return left if left < length + length // 2 else length


def part_folder(output: Path) -> Path:
    """Where the parts of an output lie until they are put together."""
    return output.with_name(f".{output.name}.parts")


def parts_in(folder: Path) -> list[EncodedPart]:
    """The closed parts in a folder, as far as they follow each other from the first frame on.
    Raises OSError."""
    found: list[EncodedPart] = []
    for path in sorted(folder.iterdir()):
        name = _PART_NAME.fullmatch(path.name)
        if name is not None and int(name[1]) == (found[-1].stop if found else 0):
            found.append(EncodedPart(int(name[1]), int(name[2]), path))
    return found


def clear_parts(output: Path) -> None:
    """Removes the parts of an output, as far as that can be done."""
    shutil.rmtree(part_folder(output), ignore_errors=True)


class EncodedParts:
    """The closed parts of one output. May be added to from any thread.

    plan: how they are encoded. part_frames: the length of a part. frames: of the film, at the end
    of which parts are shorter; 0 where that does not matter. closed: those that follow each other
    from the first frame on. folder: where they lie; it is there after `take_over`.
    """

    def __init__(self, plan: OutputPlan, part_frames: int = PART_FRAMES, frames: int = 0) -> None:
        self.plan = plan
        self._part_frames = part_frames
        self._frames = frames
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
        """Where the part ends that the frame belongs to (see the function)."""
        return end_of_part(index, self._part_frames, self._frames)

    def take_over(
        self, stored: Callable[[int, int], bool], run: RunId, nowhere_else: int = 0
    ) -> None:
        """Counts the parts that an earlier start of the run has closed, as far as they follow each
        other and were encoded in the same way; clears the folder of all others.

        stored: whether the frames [start, stop) belong to the run. nowhere_else: the frames before
        this one are in the parts alone. Raises InputError if those parts are gone, and leaves what
        is there; StorageError.
        """
        label = PartsLabel.of(self.plan, run)
        with storage_errors(self.folder):
            found = self._of_run(label, stored, run, nowhere_else)
            if nowhere_else > (found[-1].stop if found else 0):
                raise InputError(
                    f"Parts in {self.folder} are gone, which held frames that "
                    "--discard-frames freed.\nStart over with --restart."
                )
            self._keep_only({part.path for part in found})
            if not self.folder.exists():
                self.folder.mkdir()
                sync_folder(self.folder.parent)
            # A run may have been killed before the name of its last part was on the disk; and the
            # frames of parts that count may be freed.
            sync_folder(self.folder)
            # Written anew only where it must be: whatever happens, these parts have a label.
            if PartsLabel.read(self.folder) != label:
                label.write(self.folder)
        self.closed = found

    def add(self, first: int, stop: int, path: Path) -> None:
        """Counts a part that is complete at `path`, in any order; takes the file. It is there from
        now on, also after the loss of the node. Raises StorageError."""
        name = self.folder / f"{first:09d}-{stop:09d}.part"
        with storage_errors(name):
            path.rename(name)
            sync_folder(self.folder)
        with self._lock:
            self._early[first] = EncodedPart(first, stop, name)
            while self.next_frame in self._early:
                self.closed.append(self._early.pop(self.next_frame))

    def clear(self) -> None:
        """Removes the folder and what is in it."""
        clear_parts(self.plan.path)

    def _of_run(
        self,
        label: PartsLabel,
        stored: Callable[[int, int], bool],
        run: RunId,
        nowhere_else: int,
    ) -> list[EncodedPart]:
        """The parts that may be gone on from. Raises OSError."""
        there = PartsLabel.read(self.folder)
        if there is None:
            return []
        unsure = there.run is None and run.begun_s is not None
        if not there.same_parts(replace(label, run=None) if unsure else label):
            return []
        found: list[EncodedPart] = []
        for part in parts_in(self.folder):
            if not stored(part.first, part.stop):
                break
            # Both the run and its parts come from a version that wrote no identities. The parts may
            # be of a run before: those that can be encoded again are.
            old = unsure and part.path.stat().st_mtime < (run.begun_s or 0.0)
            if old or (unsure and part.stop > nowhere_else):
                break
            found.append(part)
        return found

    def _keep_only(self, paths: Set[Path]) -> None:
        """Removes everything from the folder but these parts and the label. Raises OSError."""
        if not self.folder.is_dir():
            self.folder.unlink(missing_ok=True)
            return
        for path in self.folder.iterdir():
            if path in paths or is_label(path) or path.name.startswith(_NFS_DELETED):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
