"""Beginning a run file or going on with one, and what the file says of its making."""

import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import h5py

from fastvid.decode.frame import VideoInfo
from fastvid.decode.sphere_tags import SphereTags
from fastvid.errors import InputError
from fastvid.runfile.layout import CREATED_FORMAT
from fastvid.runfile.reader import RunFile, is_run_file
from fastvid.runfile.writer import RunWriter, to_json
from fastvid.system.version import __version__

_LIBRARIES = (
    "numpy",
    "torch",
    "opencv-contrib-python-headless",
    "h5py",
    "av",
    "mpi4py",
    "scenedetect",
)

# Of FFmpeg, which is built into av or comes from the system.
_READING_LIBRARIES = ("libavcodec", "libavfilter", "libavformat", "libswscale")

# The first bytes of every HDF5 file (HDF5 File Format Specification, II.A).
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def previous_settings(path: Path, restart: bool) -> dict[str, Any] | None:
    """The settings of the run that `path` was begun with; None if a new file is to be begun.

    Raises InputError for a file that is no run file, also with `restart`: it is somebody's data.
    """
    if not path.exists():
        return None
    if not restart:
        with RunFile(path) as old:
            return old.settings
    if path.is_dir():
        raise InputError(f"{path} is a folder; --run-file names a file.")
    try:
        with h5py.File(path, "r", locking=False) as file:
            ours = is_run_file(file)
    except OSError:
        ours = _may_have_been_hdf5(path)  # damaged: replacing it is what --restart is for
    if not ours:
        raise InputError(
            f"{path} is not a run file of fastvid: not replaced.\n"
            "Give the run another file with --run-file."
        )
    return None


def _may_have_been_hdf5(path: Path) -> bool:
    """Whether a file that can't be opened begins as HDF5 does, or with nothing: a run that was
    killed before its first flush leaves it empty."""
    with open(path, "rb") as stream:
        first = stream.read(len(_HDF5_SIGNATURE))
    return first == _HDF5_SIGNATURE or not any(first)


def stored_frames(path: Path) -> int:
    """How many frames a run file holds. Raises InputError if it can't be read."""
    with RunFile(path) as run:
        return int(run.stored.sum())


def open_run(
    path: Path,
    begun: bool,
    identity: Mapping[str, Any],
    attributes: Mapping[str, Any],
    info: VideoInfo,
    keep: tuple[str, ...],
    compression: str,
    regions: Sequence[str] = (),
) -> RunWriter:
    """Goes on with the run file of an earlier run, or begins a new one.

    begun: whether there is one, of the same `identity`. regions: names of those whose weights are
    kept. Raises StorageError if the file can't be written.
    """
    if begun:
        return RunWriter.continue_run(path, compression)
    everything = {**attributes, "settings": to_json(identity)}
    return RunWriter.create(path, info.height, info.width, everything, keep, compression, regions)


def run_attributes(
    info: VideoInfo,
    path: Path,
    *,
    frame_count: int,
    stream_index: int | None,
    span: tuple[int, int] | None,
    style_name: str,
    style_sha256: str,
    input_sha256: str,
    ranks: int,
    threads: int,
    sphere: SphereTags | None = None,
) -> dict[str, Any]:
    """The attributes of the whole run: what made the file, and what encoding it again takes.

    path: of the input. sphere: the tags of a sphere that are written with the frames, if any are.
    """
    attributes = {} if sphere is None else {"sphere": to_json(asdict(sphere))}
    return attributes | {
        "fastvid_version": __version__,
        "created": time.strftime(CREATED_FORMAT, time.gmtime()),
        "command": " ".join(sys.argv),
        "python": platform.python_version(),
        "libraries": to_json(library_versions()),
        "input": str(path.absolute()),
        "input_sha256": input_sha256,
        "frame_count": frame_count,
        "input_stream": -1 if stream_index is None else stream_index,
        # First and last time stamp of the chosen part; empty if all frames were chosen.
        "span": list(span) if span else [],
        "style": style_name,
        "style_sha256": style_sha256,
        "ranks": ranks,
        "threads": threads,
        "time_base": [info.time_base.numerator, info.time_base.denominator],
        "average_rate": [info.average_rate.numerator, info.average_rate.denominator],
        # ITU-T H.273 code points: primaries, transfer, matrix; then 1 for full range.
        "color": [
            info.color.primaries,
            info.color.transfer,
            info.color.matrix,
            int(info.color.full_range),
        ],
    }


def picture_software() -> str:
    """The versions that the pixels depend on: with others a run can't be continued bit for bit."""
    versions = library_versions()
    names = ("numpy", "torch", "opencv-contrib-python-headless")
    return ", ".join([f"fastvid {__version__}", *(f"{name} {versions[name]}" for name in names)])


def reading_software() -> str:
    """The versions that decoding, scaling and the finding of cuts depend on."""
    parts = [
        f"{name} {'.'.join(str(number) for number in version)}"
        for name, version in sorted(av.library_versions.items())
        if name in _READING_LIBRARIES
    ]
    versions = library_versions()
    return f"av {versions['av']} ({', '.join(parts)}), scenedetect {versions['scenedetect']}"


def library_versions() -> dict[str, str]:
    """The versions of the libraries that the result depends on."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions
