"""A folder of numbered PNG images as the output."""

import os
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from fastvid.errors import InputError, StorageError
from fastvid.system.files import storage_errors, sync_folder

# The times of the frames, in the form that mkvmerge reads (--timestamps, format v2).
TIMESTAMPS_NAME = "timestamps.txt"
_TIMESTAMPS_HEADER = "# timestamp format v2"
# Marks a folder as ours, so that the next run may replace it.
_MADE_BY = "# by fastvid; milliseconds of each image, then the end of the last one"
_PART_TIMES = "times.txt"
_DIGITS = 6
# Fastest of zlib's levels: on painted frames the higher ones save some percent for much time.
_PNG_LEVEL = 1


def image_name(index: int, count: int) -> str:
    """Name of image `index` of `count`, from 0, so that names sort as the frames do."""
    return f"{index:0{max(_DIGITS, len(str(count - 1)))}d}.png"


class ImageEncoder:
    """One part of a folder output: a folder of PNGs with their times. Raises StorageError."""

    def __init__(self, part_path: str | Path) -> None:
        self._folder = Path(part_path)
        self._times: list[tuple[int, int]] = []
        self._is_open = True
        with storage_errors(self._folder):
            if self._folder.is_dir():
                shutil.rmtree(self._folder)
            self._folder.mkdir()

    def write(self, image: np.ndarray, pts: int, duration: int) -> None:
        """Writes one image, (H, W, 3) uint8 RGB. pts, duration: in the video's time base."""
        if not self._is_open:
            raise ValueError("the part is closed")
        if self._times and pts <= self._times[-1][0]:
            raise ValueError(f"pts {pts} comes after {self._times[-1][0]}")
        done, data = cv2.imencode(
            ".png",
            np.ascontiguousarray(image[..., ::-1]),
            [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL],
        )
        if not done:
            raise RuntimeError(f"OpenCV can't write an image of shape {image.shape} as PNG")
        path = self._folder / f"{len(self._times)}.png"
        try:
            with storage_errors(path):
                path.write_bytes(data.tobytes())
        except StorageError:
            self.abort()
            raise
        self._times.append((pts, duration))

    def close(self) -> None:
        """Finishes the part, which is on the disk when this returns; a part without its list of
        times counts as unfinished."""
        if not self._times:
            raise ValueError("a part needs at least one frame")
        if self._is_open:
            path = self._folder / _PART_TIMES
            with storage_errors(path):
                path.write_text("".join(f"{pts} {length}\n" for pts, length in self._times))
                for written in self._folder.iterdir():
                    _sync_file(written)
            sync_folder(self._folder)
            self._is_open = False

    def abort(self) -> None:
        """Removes the unfinished part; does nothing after `close`."""
        if self._is_open:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._is_open = False


def _sync_file(path: Path) -> None:
    """Waits until a file is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_target_folder(path: Path, overwrite: bool) -> None:
    """Raises InputError if the folder holds something that fastvid did not write."""
    if overwrite or not path.is_dir() or not any(path.iterdir()) or _is_ours(path):
        return
    raise InputError(
        f"the folder {path} is not empty and was not made by fastvid; "
        "choose another with -o, or empty it"
    )


def assemble_folder(target: Path, parts: list[Path], time_base: Fraction, first_pts: int) -> None:
    """Joins the images of the parts into `target`, which appears only when it is complete.

    first_pts: what becomes time 0. The parts stay as they are.
    Raises StorageError; nothing half-made is left then.
    """
    images: list[Path] = []
    times: list[tuple[int, int]] = []
    for part in parts:
        part_times = _read_times(part)
        images += [part / f"{number}.png" for number in range(len(part_times))]
        times += part_times
    building = target.with_name(f".{target.name}.part-{os.getpid()}")
    with storage_errors(target):
        try:
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir()
            for index, image in enumerate(images):
                _link_or_copy(image, building / image_name(index, len(images)))
            (building / TIMESTAMPS_NAME).write_text(
                _timestamps(times, time_base, first_pts), encoding="ascii"
            )
            sync_folder(building)
            _replace_folder(building, target)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def first_time(parts: list[Path]) -> int:
    """When the first image is shown, in the video's time base. Raises StorageError."""
    return _read_times(parts[0])[0][0]


def _read_times(part: Path) -> list[tuple[int, int]]:
    try:
        lines = (part / _PART_TIMES).read_text().splitlines()
        return [(int(pts), int(duration)) for pts, duration in map(str.split, lines)]
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{part} is no complete part of a folder of images; delete it and "
            "encode again from the run file (python -m fastvid encode)"
        ) from error


def _link_or_copy(image: Path, target: Path) -> None:
    try:
        os.link(image, target)
    except OSError:
        # Another file system, or one without hard links.
        shutil.copyfile(image, target)


def _timestamps(times: list[tuple[int, int]], time_base: Fraction, origin: int) -> str:
    last_pts, last_duration = times[-1]
    ticks = [pts for pts, _ in times] + [last_pts + last_duration]
    lines = [f"{float((tick - origin) * time_base * 1000):.6f}" for tick in ticks]
    return "\n".join([_TIMESTAMPS_HEADER, _MADE_BY, *lines]) + "\n"


def _replace_folder(building: Path, target: Path) -> None:
    if not target.exists():
        os.replace(building, target)
    else:
        old = target.with_name(f".{target.name}.old-{os.getpid()}")
        os.replace(target, old)
        try:
            os.replace(building, target)
        except OSError:
            os.replace(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    sync_folder(target.parent)


def _is_ours(path: Path) -> bool:
    try:
        lines = (path / TIMESTAMPS_NAME).read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return False
    return lines[1:2] == [_MADE_BY]
