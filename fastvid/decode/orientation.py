"""How a picture must be turned to stand upright, from the display matrix of the container."""

import math
import struct

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

# The matrix of ISO/IEC 14496-12, 6.2.2 maps (x, y) to (a x + c y, b x + d y), y downwards.
# Keys are the signs of a, b, c, d; values are chains of libavfilter's filters, and what is said.
_TURNS: dict[tuple[int, int, int, int], tuple[str, str]] = {
    (1, 0, 0, 1): ("", ""),
    (0, 1, -1, 0): ("transpose=clock", "rotated by 90 degrees"),
    (-1, 0, 0, -1): ("hflip,vflip", "rotated by 180 degrees"),
    (0, -1, 1, 0): ("transpose=cclock", "rotated by 270 degrees"),
    (-1, 0, 0, 1): ("hflip", "mirrored left to right"),
    (1, 0, 0, -1): ("vflip", "mirrored top to bottom"),
    (0, 1, 1, 0): ("transpose=cclock_flip", "mirrored along the diagonal"),
    (0, -1, -1, 0): ("transpose=clock_flip", "mirrored along the other diagonal"),
}
# A matrix element smaller than this share of the largest counts as zero.
_ZERO = 0.05


def side_data_of(frame: VideoFrame, kind: Type) -> bytes:
    """The raw content of the frame's side data of one kind, empty if it has none.

    PyAV refuses all side data of a frame that has a kind which it does not know (FFmpeg 8 added
    EXIF); it is empty then as well.
    """
    try:
        side_data = frame.side_data
    except ValueError:
        return b""
    return bytes(side_data[kind]) if kind in side_data else b""


def display_matrix(frame: VideoFrame) -> tuple[int, int, int, int] | None:
    """The elements a, b, c, d of the frame's display matrix in 16.16 fixed point, if it has one.

    Where side data can't be read, PyAV's angle stands for it, which knows nothing of mirroring.
    """
    content = side_data_of(frame, Type.DISPLAYMATRIX)
    if len(content) >= 36:
        a, b, _, c, d, *_ = struct.unpack("=9i", content[:36])
        return a, b, c, d
    if not frame.rotation:
        return None
    angle = math.radians(frame.rotation)
    a, b = round(math.cos(angle) * 65536), round(-math.sin(angle) * 65536)
    return a, b, -b, a


def upright_filters(matrix: tuple[int, int, int, int] | None) -> tuple[str, str]:
    """(filters, description) that turn the picture upright; two empty strings if it is already.

    An angle that is no multiple of 90 degrees is not applied: the filters are empty then and the
    description says so.
    """
    largest = max(abs(element) for element in matrix) if matrix else 0
    if matrix is None or largest == 0:
        return "", ""
    signs = tuple(0 if abs(e) < _ZERO * largest else (1 if e > 0 else -1) for e in matrix)
    if len(signs) == 4 and signs in _TURNS:
        return _TURNS[signs]
    return "", "rotated by an angle that is no multiple of 90 degrees, which is left as it is"


def swaps_sides(filters: str) -> bool:
    """True if width and height change places."""
    return filters.startswith("transpose")
