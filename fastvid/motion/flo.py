"""Flow files in Middlebury's `.flo` format.

Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 92, 2011. All is
little-endian: the float 202021.25 (the bytes "PIEH"), width and height as 32-bit integers, then
rows of (dx, dy) as 32-bit floats. A component over 1e9 means that the flow is not known there.
"""

import os
from pathlib import Path

import numpy as np

from fastvid.errors import InputError
from fastvid.motion.warp import check_flow

_MAGIC = b"PIEH"
_HEADER_BYTES = 12
# A side longer than this is no frame of a video; the largest that H.264 and HEVC allow is 16,888.
_MAX_SIDE_PX = 65535
UNKNOWN_FLOW_PX = 1e9


def flo_bytes(flow: np.ndarray) -> bytes:
    """The file of (H, W, 2) float32 flow in pixels."""
    check_flow(flow)
    height, width = flow.shape[:2]
    header = _MAGIC + np.array([width, height], "<i4").tobytes()
    return header + np.ascontiguousarray(flow, "<f4").tobytes()


def write_flo(path: str | os.PathLike[str], flow: np.ndarray) -> None:
    """Writes (H, W, 2) float32 flow in pixels. Raises OSError where the file can't be written."""
    Path(path).write_bytes(flo_bytes(flow))


def read_flo(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a flow file: (H, W, 2) float32, pixels; where it is unknown, both components are NaN.

    Raises InputError if the file is missing, is no flow file, or holds more or less than its header
    says; nothing is allocated before the header has been held against the file's real size.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            real_bytes = os.fstat(file.fileno()).st_size
            width, height = _read_header(name, file.read(_HEADER_BYTES), real_bytes)
            flow = np.fromfile(file, "<f4", count=width * height * 2)
    except OSError as error:
        raise InputError(f"can't read the flow file {name}: {error.strerror}") from error
    if flow.size != width * height * 2:
        raise InputError(f"{name} became shorter while it was read; write it again")
    flow = flow.reshape(height, width, 2).astype(np.float32, copy=False)
    # The comparison is false for NaN too.
    known = (np.abs(flow) <= UNKNOWN_FLOW_PX).all(axis=2)
    flow[~known] = np.nan
    return flow


def _read_header(name: str, header: bytes, real_bytes: int) -> tuple[int, int]:
    """(width, height) that the header gives, checked against the size of the file in bytes."""
    if len(header) < _HEADER_BYTES or header[:4] != _MAGIC:
        raise InputError(f"{name} is no .flo file: it does not begin with the bytes PIEH")
    width, height = (int(side) for side in np.frombuffer(header, "<i4", offset=4))
    if not (1 <= width <= _MAX_SIDE_PX and 1 <= height <= _MAX_SIDE_PX):
        raise InputError(
            f"{name}: a size of {width}x{height} is outside 1..{_MAX_SIDE_PX}; the file is damaged"
        )
    expected_bytes = _HEADER_BYTES + width * height * 8
    if real_bytes != expected_bytes:
        raise InputError(
            f"{name}: {width}x{height} pixels of flow take {expected_bytes} bytes, but the file has"
            f" {real_bytes}; it is damaged or incomplete"
        )
    return width, height
