"""The elements that Torch7 files are made of, binary or ASCII.

Nothing is allocated before the file has been found to hold it.
"""

import re
from typing import Protocol

import numpy as np

# Numbers that are written out are many times as large as objects: few are made at a time.
_PIECE_BYTES = 1 << 20


class DamagedError(ValueError):
    """What is read is no Torch7 file, or not all of it."""


class Source(Protocol):
    """The elements of a file, in either format; all raise DamagedError where there are none."""

    def whole(self, count: int) -> list[int]:
        """Integers."""

    def sizes(self, count: int) -> list[int]:
        """Sizes, strides or offsets."""

    def double(self) -> float:
        """A number."""

    def text(self, length: int) -> bytes:
        """Characters."""

    def array(self, dtype: str, count: int) -> np.ndarray:
        """The elements of a storage."""


class BinarySource:
    """Integers of 4 bytes, sizes of 8 and doubles, little-endian."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def whole(self, count: int) -> list[int]:
        """Integers."""
        return [int(number) for number in self.array("<i4", count)]

    def sizes(self, count: int) -> list[int]:
        """Sizes, strides or offsets."""
        return [int(number) for number in self.array("<i8", count)]

    def double(self) -> float:
        """A number."""
        return float(self.array("<f8", 1)[0])

    def text(self, length: int) -> bytes:
        """Characters."""
        return self._data[self._advance(length) : self._position]

    def array(self, dtype: str, count: int) -> np.ndarray:
        """The elements of a storage."""
        start = self._advance(count * np.dtype(dtype).itemsize)
        return np.frombuffer(self._data, dtype, count, start)

    def _advance(self, length: int) -> int:
        """Moves on by `length` bytes and returns where they begin."""
        start = self._position
        if length < 0 or start + length > len(self._data):
            raise DamagedError(f"{length} bytes wanted at byte {start} of {len(self._data)}")
        self._position = start + length
        return start


class AsciiSource:
    """All numbers written out, apart by white space; a line break behind each group."""

    _TOKEN = re.compile(rb"\s*(\S{1,64})")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def whole(self, count: int) -> list[int]:
        """Integers."""
        return self.sizes(count)

    def sizes(self, count: int) -> list[int]:
        """Sizes, strides or offsets."""
        numbers = [int(self._token(rb"-?\d{1,18}")) for _ in range(count)]
        self._end_line(count)
        return numbers

    def double(self) -> float:
        """A number."""
        number = float(self._token(rb"[-+.\deEinfa]+"))
        self._end_line(1)
        return number

    def text(self, length: int) -> bytes:
        """Characters."""
        start = self._position
        if length < 0 or start + length > len(self._data):
            raise DamagedError(f"{length} bytes wanted at byte {start} of {len(self._data)}")
        self._position = start + length
        self._end_line(length)
        return self._data[start : start + length]

    def array(self, dtype: str, count: int) -> np.ndarray:
        """The elements of a storage."""
        if np.dtype(dtype).itemsize == 1:
            return np.frombuffer(self.text(count), dtype)
        if count == 0:
            return np.empty(0, dtype)
        end = self._data.find(b"\n", self._position)
        line = self._data[self._position : end if end >= 0 else len(self._data)]
        self._position += len(line)
        self._end_line(count)
        try:
            return _numbers(line, dtype, count)
        except ValueError as error:
            raise DamagedError(f"not {count} numbers in {len(line)} bytes") from error

    def _token(self, form: bytes) -> bytes:
        match = self._TOKEN.match(self._data, self._position)
        if match is None or not re.fullmatch(form, match[1]):
            raise DamagedError(f"no number at byte {self._position}")
        self._position = match.end()
        return match[1]

    def _end_line(self, count: int) -> None:
        """Passes the line break that follows every group of elements that is not empty."""
        if count:
            if self._data[self._position : self._position + 1] != b"\n":
                raise DamagedError(f"no end of the line at byte {self._position}")
            self._position += 1


def _numbers(line: bytes, dtype: str, count: int) -> np.ndarray:
    """The numbers of a line; raises ValueError if they are not `count`, or no numbers."""
    if not 0 < count <= (len(line) + 1) // 2:
        raise ValueError(count)
    numbers = np.empty(count, dtype)
    filled = begin = 0
    while begin < len(line):
        end = line.find(b" ", begin + _PIECE_BYTES)
        end = end if end >= 0 else len(line)
        piece = np.fromiter(map(float, line[begin:end].split()), np.float64)
        with np.errstate(all="ignore"):  # what does not fit the type is found with the weights
            numbers[filled : filled + len(piece)] = piece
        filled, begin = filled + len(piece), end
    if filled != count:
        raise ValueError(filled)
    return numbers
