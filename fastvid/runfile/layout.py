"""The layout of the run file. `docs/run-file.md` shows it to readers.

    /frames/stylized   (N, H, W, 3) uint8, one frame a chunk    the finished frames
    /frames/pts        (N,) int64, in units of `time_base`       presentation time stamps
    /frames/duration   (N,) int64, in units of `time_base`
    /frames/stored     (N,) uint8                                 1 once the frame can be read
    /frames/encoded    (N,) uint8                                 1 once freed by --discard-frames
    /shots             (S,) table                                 first frame and end of each shot
    /segments          (K,) table                                 who did what when
    /ranks             (R,) table                                 what was last heard of each rank
    /flow/backward     (N, H, W, 2) float32                       with --keep flow
    /occlusion         (N, H, W) uint8                            with --keep occlusion
    /regions/weights   (N, K, H, W) uint8                         with --keep regions: K regions
    /regions/names     (K,) text                                  their masks and styles
    /journal           (J,) uint8                                 changes on their way into the file

Every frame is a chunk that declares the deflate filter. With `--compression none` (the default) the
filter is skipped chunk by chunk, which any HDF5 library reads, so that frames are written as fast
as the disk takes them; the filter is there so that a frame can be replaced by a few bytes when it
is discarded.
"""

import math
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fastvid.runfile.journal import JOURNAL_BYTES
from fastvid.runfile.journaled import open_hdf5
from fastvid.stages.interface import STAGES

FORMAT_NAME = "fastvid run file"
# Version 1 had no journal.
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)

FRAMES = "frames/stylized"
PTS = "frames/pts"
DURATION = "frames/duration"
STORED = "frames/stored"
ENCODED = "frames/encoded"
SHOTS = "shots"
SEGMENTS = "segments"
RANKS = "ranks"
FLOW = "flow/backward"
OCCLUSION = "occlusion"
WEIGHTS = "regions/weights"
REGION_NAMES = "regions/names"
JOURNAL = "journal"

# Root attributes: what no other run has, and when the run was begun (UTC).
RUN_ID = "run_id"
CREATED_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

# Level 1: on painted frames the higher levels gain nothing (1.09 and 1.14 at levels 1 and 4).
DEFLATE_LEVEL = 1
# Of HDF5's filter mask: bit 0 set means that the first filter (deflate) was not applied.
SKIP_DEFLATE = 1
_SCALAR_CHUNK = 1024
_HOST_BYTES = 64
# HDF5 keeps an attribute of less than 64 kB beside the header.
_MAX_TEXT_BYTES = 60000
_MAX_NUMBERS = 16

SHOT_DTYPE = np.dtype([("start", "<i8"), ("stop", "<i8")])
SEGMENT_DTYPE = np.dtype(
    [
        ("start", "<i8"),
        ("stop", "<i8"),
        ("shot", "<i8"),
        ("rank", "<i4"),
        ("host", f"S{_HOST_BYTES}"),
        ("dealt_start", "<f8"),
        ("stored_start", "<f8"),
    ]
    + [(f"{s.value}_{what}", "<f8") for s in STAGES for what in ("start", "seconds")]
)
RANK_DTYPE = np.dtype(
    [
        ("rank", "<i4"),
        ("host", f"S{_HOST_BYTES}"),
        ("process", "<i8"),
        ("last_heard", "<f8"),
        ("doing", f"S{_HOST_BYTES}"),
        ("bytes_sent", "<i8"),
    ]
)

_DESCRIPTIONS = {
    FRAMES: "Stylized frames in presentation order: frame, row, column, channel (red, green, "
    "blue).",
    PTS: "Presentation time stamp of each frame, in units of the root attribute time_base (s).",
    DURATION: "Duration of each frame, in units of the root attribute time_base (s).",
    STORED: "1 where the frame is finished and can be read, 0 where it is still missing.",
    ENCODED: "1 where the frame was encoded and its pixels were freed (--discard-frames).",
    SHOTS: "Shots: first frame, and the frame behind the last one. A cut lies before each start "
    "but the first.",
    SEGMENTS: "Segments: frames [start, stop) of a shot, the rank and host that worked on them, "
    "and for each stage when it began and how long it computed. Times in seconds since "
    "1970-01-01 UTC, durations in seconds. motion: flow, masks, gate; paint: the network; "
    "blend: the temporal pass.",
    RANKS: "What was last heard of each rank in the latest run: its host and process, when "
    "(seconds since 1970-01-01 UTC), what it was doing, and the bytes of frames that it had sent.",
    FLOW: "Backward optical flow: x and y displacement in pixels from frame i to frame i-1. Zero "
    "in the first frame of a shot.",
    OCCLUSION: "1 where the backward flow is not reliable (occluded or inconsistent), else 0. "
    "All 1 in the first frame of a shot.",
    WEIGHTS: "Which share of each pixel belongs to each region, in 255ths: frame, region, row, "
    "column. What all of them leave is the rest of the picture.",
    JOURNAL: "For fastvid alone: changes of this file that are not in their place yet, if its "
    "writer was killed.",
}


def create(
    path: Path, height: int, width: int, keep: tuple[str, ...], regions: Sequence[str] = ()
) -> h5py.File:
    """Creates an empty run file and leaves it open for writing. Raises OSError.

    Its journal has its room, but is not begun (`journal_place`).
    """
    file = open_hdf5(path, "w")
    # The first of all, and never written to by HDF5: it stays where it is.
    file.create_dataset(JOURNAL, data=np.zeros(JOURNAL_BYTES, "u1"))
    file[JOURNAL].attrs["description"] = _DESCRIPTIONS[JOURNAL]
    set_attribute(file, "format", FORMAT_NAME)
    set_attribute(file, "format_version", FORMAT_VERSION)
    set_attribute(file, RUN_ID, secrets.token_hex(16))
    _add(file, FRAMES, (height, width, 3), "u1", compression="gzip", compression_opts=DEFLATE_LEVEL)
    for name in (PTS, DURATION):
        _add(file, name, (), "<i8")
    for name in (STORED, ENCODED):
        _add(file, name, (), "u1")
    _add(file, SHOTS, (), SHOT_DTYPE)
    _add(file, SEGMENTS, (), SEGMENT_DTYPE)
    _add(file, RANKS, (), RANK_DTYPE)
    if "flow" in keep:
        _add(
            file,
            FLOW,
            (height, width, 2),
            "<f4",
            compression="gzip",
            compression_opts=DEFLATE_LEVEL,
            shuffle=True,
        )
    if "occlusion" in keep:
        _add(
            file,
            OCCLUSION,
            (height, width),
            "u1",
            compression="gzip",
            compression_opts=DEFLATE_LEVEL,
            fillvalue=1,
        )
    if "regions" in keep:
        shape = (len(regions), height, width)
        _add(file, WEIGHTS, shape, "u1", compression="gzip", compression_opts=DEFLATE_LEVEL)
        names = [name.encode("utf-8", errors="surrogateescape") for name in regions]
        file.create_dataset(REGION_NAMES, data=np.array(names, np.bytes_))
    return file


def journal_place(file: h5py.File) -> int:
    """Where the journal of a run file begins, bytes from the beginning of the file."""
    return int(file[JOURNAL].id.get_offset())


def _add(
    file: h5py.File, name: str, item: tuple[int, ...], dtype: object, **options: object
) -> None:
    """Adds a dataset that grows along its first axis; arrays are one item a chunk."""
    chunk = (1, *item) if item else (_SCALAR_CHUNK,)
    dataset = file.create_dataset(
        name, shape=(0, *item), maxshape=(None, *item), dtype=dtype, chunks=chunk, **options
    )
    dataset.attrs["description"] = _DESCRIPTIONS[name]


def set_attribute(file: h5py.File, name: str, value: Any) -> None:
    """Writes an attribute of the whole run: a text, a number or a few numbers.

    Texts have a fixed length: HDF5 crashes on damaged texts of variable length.
    """
    if isinstance(value, str):
        # Names of files may be any bytes.
        encoded = value.encode("utf-8", errors="surrogateescape")
        value = np.bytes_(encoded[:_MAX_TEXT_BYTES] or b" ")
    file.attrs[name] = value


def read_attribute(file: h5py.File, name: str) -> Any:
    """What `set_attribute` wrote: a str, a number, or an array of numbers.

    Looks at the type before it reads. Raises KeyError if there is no such attribute, ValueError if
    it is of another kind, OSError if it can't be read.
    """
    attribute = file.attrs.get_id(name)
    size = math.prod(attribute.shape)
    kind = attribute.dtype.kind
    if kind == "S" and attribute.shape == () and attribute.dtype.itemsize <= _MAX_TEXT_BYTES:
        return bytes(file.attrs[name]).decode("utf-8", errors="surrogateescape").strip()
    if kind in "biuf" and size <= _MAX_NUMBERS:
        return file.attrs[name]
    raise ValueError(f"the attribute {name} is of another kind")


def grow(dataset: h5py.Dataset, length: int) -> None:
    """Makes a dataset at least `length` items long."""
    shape = dataset.id.shape
    if shape[0] < length:
        dataset.id.set_extent((length, *shape[1:]))


def raw_chunk(dataset: h5py.Dataset, index: int) -> np.ndarray | None:
    """Image `index` of a dataset that has a chunk for each, read straight from its place; None
    where the chunk is compressed.

    Takes half of the time of `dataset[index]`. Raises OSError.
    """
    coordinates = (index,) + (0,) * (dataset.ndim - 1)
    chunk = dataset.id.get_chunk_info_by_coord(coordinates)
    image = np.empty(dataset.shape[1:], dataset.dtype)
    if chunk.size != image.nbytes or chunk.filter_mask != SKIP_DEFLATE:
        return None
    dataset.id.read_direct_chunk(coordinates, out=image.reshape(-1).view(np.uint8))
    return image


def write_rows(dataset: h5py.Dataset, start: int, rows: np.ndarray) -> None:
    """Writes `rows` from row `start` on, (K,) of the dataset's own dtype; it grows as needed.

    Does what `dataset[start:] = rows` does, in a fifth of the time. Raises OSError.
    """
    grow(dataset, start + len(rows))
    place = dataset.id.get_space()
    place.select_hyperslab((start,), (len(rows),))
    dataset.id.write(h5py.h5s.create_simple((len(rows),)), place, rows)
