"""Part files: encoded video packets on their way from the encoder to the container.

No general container keeps everything that has to survive here: NUT has no durations and shifts
negative decoding times, Matroska rounds to milliseconds, MP4 is unreadable until it is closed. A
part is therefore a plain list of packets, beside a tiny container (the template, with the stream's
headers and its first key frame) from which libavformat learns the stream's parameters.

Layout, little-endian: MAGIC; u32 size and template; for every packet in decoding order
i64 pts, i64 duration, u8 is_keyframe, u32 size, payload; at the end a record of size END_MARK whose
pts is the number of packets. A part without that record was cut short.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from fastvid.errors import StorageError
from fastvid.system.files import CheckedFile, storage_errors

MAGIC = b"FASTVID PART 1\n\0"
END_MARK = 0xFFFFFFFF
_SIZE = struct.Struct("<I")
_RECORD = struct.Struct("<qqBI")


@dataclass(frozen=True)
class PartPacket:
    """One encoded packet; pts and duration in the video's time base. data is empty in timings."""

    pts: int
    duration: int
    is_keyframe: bool
    data: bytes


class PartFile(Protocol):
    """Where the bytes of a part go."""

    def write(self, data: bytes) -> object:
        """Takes the next bytes."""

    def finish(self) -> None:
        """All bytes were written."""

    def discard(self) -> None:
        """The part is given up; does nothing after `finish`."""


class PartWriter:
    """Writes one part; it counts only once `close` has returned. Raises StorageError.

    file: takes the bytes instead of a new file at `path`.
    """

    def __init__(self, path: str | Path, file: PartFile | None = None) -> None:
        self._path = path
        self._count = 0
        with storage_errors(path):
            self._file: PartFile = CheckedFile(path) if file is None else file

    def write_template(self, template: bytes) -> None:
        """Call once, before the first packet."""
        self._write(MAGIC, _SIZE.pack(len(template)), template)

    def write(self, packet: PartPacket) -> None:
        header = _RECORD.pack(packet.pts, packet.duration, packet.is_keyframe, len(packet.data))
        self._write(header, packet.data)
        self._count += 1

    def close(self) -> None:
        self._write(_RECORD.pack(self._count, 0, 0, END_MARK))
        self._file.finish()

    def abort(self) -> None:
        """Removes the unfinished part; does nothing after `close`."""
        self._file.discard()

    def _write(self, *chunks: bytes) -> None:
        with storage_errors(self._path):
            for chunk in chunks:
                self._file.write(chunk)


def read_template(path: str | Path) -> bytes:
    """The template container of a part. Raises StorageError for anything but a part."""
    with _opened(path) as file:
        return _read_header(file, path)


def read_timings(path: str | Path) -> list[PartPacket]:
    """The packets of a part without their data, in decoding order. Raises StorageError."""
    return list(_records(path, with_data=False))


def read_packets(path: str | Path) -> Iterator[PartPacket]:
    """The packets of a part in decoding order, one in memory at a time. Raises StorageError."""
    return _records(path, with_data=True)


def _records(path: str | Path, with_data: bool) -> Iterator[PartPacket]:
    with _opened(path) as file:
        _read_header(file, path)
        count = 0
        while True:
            pts, duration, is_keyframe, size = _RECORD.unpack(_exactly(file, _RECORD.size, path))
            if size == END_MARK:
                if pts != count:
                    raise _broken(path)
                return
            data = b""
            if with_data:
                data = _exactly(file, size, path)
            else:
                file.seek(size, 1)
            yield PartPacket(pts, duration, bool(is_keyframe), data)
            count += 1


def _opened(path: str | Path) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise StorageError(
            f"can't read {path}: {error.strerror}; encode again from the run file "
            "(python -m fastvid encode)"
        ) from error


def _read_header(file: IO[bytes], path: str | Path) -> bytes:
    if _exactly(file, len(MAGIC), path) != MAGIC:
        raise _broken(path)
    (size,) = _SIZE.unpack(_exactly(file, _SIZE.size, path))
    return _exactly(file, size, path)


def _exactly(file: IO[bytes], size: int, path: str | Path) -> bytes:
    # A broken size must not make us allocate gigabytes.
    data = file.read(size) if size <= os.fstat(file.fileno()).st_size else b""
    if len(data) != size:
        raise _broken(path)
    return data


def _broken(path: str | Path) -> StorageError:
    return StorageError(
        f"{path} is no complete part of an encoded video; delete it and encode "
        "again from the run file (python -m fastvid encode)"
    )
