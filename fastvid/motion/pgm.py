"""Masks as binary PGM files, as the tools of Fast Artistic Videos write and read them.

Netpbm's format: the bytes "P5", then width, height and the largest value as decimal numbers, apart
by white space and comments from # to the end of the line, one white space, and a byte a pixel.
"""

import os
import re
from pathlib import Path

import numpy as np

from fastvid.errors import InputError

_LARGEST_LEVEL = 255
# A side longer than this is no frame of a video; the largest that H.264 and HEVC allow is 16,888.
_MAX_SIDE_PX = 65535
# Longer headers are comments, of which a mask has one.
_MAX_HEADER_BYTES = 4096
_SPACE = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P5" + (_SPACE + rb"(\d{1,5})") * 3 + rb"\s")


def pgm_bytes(levels: np.ndarray) -> bytes:
    """The file of (H, W) uint8 levels."""
    height, width = levels.shape
    header = f"P5\n{width} {height}\n{_LARGEST_LEVEL}\n"
    return header.encode("ascii") + np.ascontiguousarray(levels, np.uint8).tobytes()


def read_pgm(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a file: (H, W) uint8 levels.

    Raises InputError if the file is missing, is no binary PGM of 8 bits, or holds less or more than
    its header says; nothing is allocated before the header was held against the file's size.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            real_bytes = os.fstat(file.fileno()).st_size
            match = _HEADER.match(file.read(_MAX_HEADER_BYTES))
            if match is None:
                raise InputError(f"{name} is no binary PGM file (P5)")
            width, height, largest = (int(group) for group in match.groups())
            _check(name, width, height, largest, real_bytes - match.end())
            file.seek(match.end())
            levels = np.fromfile(file, np.uint8, count=width * height)
    except OSError as error:
        raise InputError(f"can't read the mask {name}: {error.strerror}") from error
    if levels.size != width * height:
        raise InputError(f"{name} became shorter while it was read; write it again")
    return levels.reshape(height, width)


def _check(name: str, width: int, height: int, largest: int, pixel_bytes: int) -> None:
    if largest != _LARGEST_LEVEL:
        raise InputError(f"{name}: its largest level is {largest}; a mask has {_LARGEST_LEVEL}")
    if not (1 <= width <= _MAX_SIDE_PX and 1 <= height <= _MAX_SIDE_PX):
        raise InputError(
            f"{name}: a size of {width}x{height} is outside 1..{_MAX_SIDE_PX}; the file is damaged"
        )
    if pixel_bytes != width * height:
        raise InputError(
            f"{name}: {width}x{height} pixels take {width * height} bytes, but the file has"
            f" {pixel_bytes}; it is damaged or incomplete"
        )


def write_pgm(path: str | os.PathLike[str], levels: np.ndarray) -> None:
    """Writes (H, W) uint8 levels. Raises OSError where the file can't be written."""
    Path(path).write_bytes(pgm_bytes(levels))
