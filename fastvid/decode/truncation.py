"""Whether a file ends before its container says that it ends, told from the structure alone.

A header that merely claims more frames than there are is no truncation; a box, element or chunk
that reaches beyond the end of the file is.
"""

import os
from typing import BinaryIO

# ISO/IEC 14496-12, 4.2: types of the boxes that files begin with.
_ISO_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")
# RFC 8794 (EBML) and RFC 9559 (Matroska): element identifiers.
_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_MAX_BOXES = 100_000


def ends_early(path: str) -> bool:
    """True if the outermost structure of an MP4/MOV, Matroska/WebM or AVI file is cut off.

    Other formats have no such structure: False.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as stream:
        start = stream.read(12)
        stream.seek(0)
        if start[4:8] in _ISO_FIRST_BOXES:
            return _iso_ends_early(stream, size)
        if start[:4] == _EBML_HEADER:
            return _ebml_ends_early(stream, size)
        if start[:4] == b"RIFF":
            return 8 + int.from_bytes(start[4:8], "little") > size
    return False


def _iso_ends_early(stream: BinaryIO, size: int) -> bool:
    position = 0
    for _ in range(_MAX_BOXES):
        if position >= size:
            return position > size
        stream.seek(position)
        header = stream.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 0 and len(header) >= 8:  # "to the end of the file"
            return False
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # rubbish, or zeros that fill up the end
            return len(header) < 8
        position += length
    return False


def _ebml_ends_early(stream: BinaryIO, size: int) -> bool:
    stream.seek(4)
    header_length = _ebml_size(stream)
    if header_length is None:
        return False
    stream.seek(header_length, os.SEEK_CUR)
    if stream.read(4) != _MATROSKA_SEGMENT:
        return False
    length = _ebml_size(stream)
    return length is not None and stream.tell() + length > size


def _ebml_size(stream: BinaryIO) -> int | None:
    """A variable-length integer (RFC 8794, 4); None for "unknown", as in live recordings."""
    first = stream.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = stream.read(width - 1)
    value = int.from_bytes(bytes([first[0] & (0xFF >> width)]) + rest, "big")
    return None if value == (1 << (7 * width)) - 1 else value
