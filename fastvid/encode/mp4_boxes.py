"""Boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2): found in a file, and put into a finished one.

What is put in goes into the `moov` box, which stands at the end of what libavformat writes here:
it grows, and nothing that is found by its offset moves.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Protocol

_HEADER = struct.Struct(">I4s")
_LONG_SIZE = struct.Struct(">Q")
# The index of a film of days; a file that claims more is not read.
_MAX_MOOV_BYTES = 256 << 20
# Where the boxes inside an entry of `stsd` begin, behind its own header (12.1.3, 12.2.3). QuickTime
# has longer sound entries, by their version.
_VIDEO_ENTRY_BYTES = 78
_SOUND_ENTRY_BYTES = {0: 28, 1: 44, 2: 64}
_SOUND_VERSION_AT = 8
_STSD_HEAD_BYTES = 8


class ReadWrite(Protocol):
    """A file that is open for reading and writing."""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""

    def write(self, data: bytes) -> int:
        """Replaces or adds bytes."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves to a place."""


@dataclass(frozen=True)
class TrackBoxes:
    """What is put into a track: boxes for its first sample entry, and for the track itself."""

    entry: bytes = b""
    track: bytes = b""


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of a four-letter kind."""
    inner = b"".join(content)
    return _HEADER.pack(_HEADER.size + len(inner), kind) + inner


def full_box(kind: bytes, *content: bytes) -> bytes:
    """A box with a version and flags, all 0."""
    return box(kind, bytes(4), *content)


def boxes(content: bytes, start: int = 0) -> Iterator[tuple[bytes, bytes, int]]:
    """(kind, content, end) of each whole box from `start` on; ends where none begins."""
    while start + _HEADER.size <= len(content):
        size, kind = _HEADER.unpack_from(content, start)
        if size < _HEADER.size or start + size > len(content):
            return
        yield kind, content[start + _HEADER.size : start + size], start + size
        start += size


def put_into_tracks(file: ReadWrite, additions: Mapping[int, TrackBoxes]) -> bool:
    """Puts boxes into the tracks of a finished file, by their positions; False, and the file as it
    was, where its `moov` is not its last box. Raises OSError."""
    place = _find_moov(file)
    if place is None or not place.is_last:
        return False
    tracks = []
    number = 0
    for kind, content, _ in boxes(place.content):
        if kind == b"trak":
            content = _with_boxes(content, additions.get(number, TrackBoxes()))
            number += 1
        tracks.append(box(kind, content))
    file.seek(place.start)
    file.write(box(b"moov", *tracks))
    return True


def sound_boxes(path: str, kind: bytes) -> dict[int, bytes]:
    """By track identity, the box of this kind in the sample entry of each sound track that has one.

    Empty for a file that is no MP4 or MOV, or that can't be read.
    """
    try:
        with open(path, "rb") as file:
            place = _find_moov(file)
    except OSError:
        return {}
    found = {}
    for track_kind, track, _ in boxes(place.content) if place else ():
        if track_kind != b"trak":
            continue
        identity, entry = _track_identity(track), _first_entry(track)
        for inner, content, _ in boxes(entry, _boxes_begin(track, entry)):
            if inner == kind and identity is not None:
                found[identity] = box(kind, content)
    return found


@dataclass(frozen=True)
class _Moov:
    """Where the box begins, what is in it, and whether nothing follows it."""

    start: int
    content: bytes
    is_last: bool


def _find_moov(file: "ReadWrite | IO[bytes]") -> _Moov | None:
    end = file.seek(0, 2)
    start = 0
    while start + _HEADER.size <= end:
        file.seek(start)
        size, kind = _HEADER.unpack(file.read(_HEADER.size))
        head = _HEADER.size
        if size == 1:
            head += _LONG_SIZE.size
            (size,) = _LONG_SIZE.unpack(file.read(_LONG_SIZE.size).ljust(_LONG_SIZE.size, b"\0"))
        if size < head or start + size > end:
            return None
        if kind == b"moov":
            if size > _MAX_MOOV_BYTES:
                return None
            return _Moov(start, file.read(size - head), start + size == end)
        start += size
    return None


def _with_boxes(track: bytes, additions: TrackBoxes) -> bytes:
    """The content of a track with boxes put into it."""

    def longer(stsd: bytes) -> bytes:
        entries = list(boxes(stsd, _STSD_HEAD_BYTES))
        if not entries:
            return stsd
        kind, entry, end = entries[0]
        # Some entries end with zeros that are no box.
        last = max(
            (stop for *_, stop in boxes(entry, _boxes_begin(track, entry))), default=len(entry)
        )
        entry = entry[:last] + additions.entry + entry[last:]
        return stsd[:_STSD_HEAD_BYTES] + box(kind, entry) + stsd[end:]

    if additions.entry:
        track = _changed(track, (b"mdia", b"minf", b"stbl", b"stsd"), longer)
    return track + additions.track


def _changed(content: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """The content of a box with the inner one at `path` changed."""
    if not path:
        return change(content)
    return b"".join(
        box(kind, _changed(inner, path[1:], change) if kind == path[0] else inner)
        for kind, inner, _ in boxes(content)
    )


def _inner(content: bytes, *path: bytes) -> bytes:
    """The content of the first box at a path; empty where there is none."""
    for name in path:
        content = next((inner for kind, inner, _ in boxes(content) if kind == name), b"")
    return content


def _track_identity(track: bytes) -> int | None:
    head = _inner(track, b"tkhd")
    # Times of 4 or 8 bytes stand before it (8.3.2).
    place = 20 if head[:1] == b"\1" else 12
    return int.from_bytes(head[place : place + 4], "big") if len(head) >= place + 4 else None


def _first_entry(track: bytes) -> bytes:
    stsd = _inner(track, b"mdia", b"minf", b"stbl", b"stsd")
    return next((content for _, content, _ in boxes(stsd, _STSD_HEAD_BYTES)), b"")


def _boxes_begin(track: bytes, entry: bytes) -> int:
    """Where the boxes in a sample entry begin; its end where that is not known."""
    handler = _inner(track, b"mdia", b"hdlr")[8:12]
    if handler == b"vide":
        return _VIDEO_ENTRY_BYTES
    if handler == b"soun":
        version = int.from_bytes(entry[_SOUND_VERSION_AT : _SOUND_VERSION_AT + 2], "big")
        return _SOUND_ENTRY_BYTES.get(version, len(entry))
    return len(entry)
