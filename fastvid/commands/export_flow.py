"""Writes a run's flow and masks as .flo and .pgm files."""

import argparse
import sys
from pathlib import Path

import numpy as np

from fastvid.errors import InputError, StorageError
from fastvid.motion.flo import flo_bytes
from fastvid.motion.flow_folder import RELIABLE_LEVEL, flow_name, mask_name
from fastvid.motion.pgm import pgm_bytes
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.runfile.reader import RunFile
from fastvid.system.arguments import add_overwrite
from fastvid.system.files import write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid export-flow`."""
    parser.description = (
        "Writes the flow and masks that a run kept (--keep flow,occlusion) as "
        "backward_5_4.flo (from frame 5 to 4, counted from 1) and "
        "reliable_5_4.pgm (255 where it can be trusted, else 0)."
    )
    parser.add_argument("run_file", type=Path, help="a run file (.h5) whose run is complete")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    add_overwrite(parser, "existing files")


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Writes the files and says how many."""
    sys.stdout.write(export_flow(parsed.run_file, parsed.output, parsed.overwrite) + "\n")
    return 0


def export_flow(run_path: Path, folder: Path, overwrite: bool = False) -> str:
    """Writes what a run kept of flow and masks into a folder; returns what was written.

    A pair of frames gets `backward_5_4.flo` and `reliable_5_4.pgm`; frames count from 1 in the
    film, also in the run of a part of it. The first frame of a shot has neither. Raises InputError
    if the run is not complete or kept nothing, or if files are there already; StorageError if they
    can't be written.
    """
    with RunFile(run_path) as run:
        if not run.complete:
            raise InputError(
                f"The run of {run_path} is not complete.\nStart its command again to finish it."
            )
        if not (run.keeps_flow or run.keeps_occlusion):
            raise InputError(
                f"{run_path} holds neither flow nor masks. Give the run --keep "
                "flow,occlusion (and --restart)."
            )
        first = _first_frame(run.settings.get("frames"))
        starts = {start for start, _ in run.shots()}
        frames = [index for index in range(run.frame_count) if index not in starts]
        _check_folder(folder, [first + index for index in frames], overwrite)
        _make(folder)
        for index in frames:
            if run.keeps_flow:
                path = folder / flow_name(first + index)
                write_atomically(path, flo_bytes(run.flow(index)))
            if run.keeps_occlusion:
                levels = np.where(run.occlusion(index) == 0, RELIABLE_LEVEL, 0).astype(np.uint8)
                write_atomically(folder / mask_name(first + index), pgm_bytes(levels))
        kinds = [
            kind
            for kind, kept in (("flow", run.keeps_flow), ("masks", run.keeps_occlusion))
            if kept
        ]
    return f"{folder}: {' and '.join(kinds)} of {len(frames)} pairs of frames"


def _first_frame(frames: object) -> int:
    """Where the chosen part of a film begins; frames: as the run recorded it, or None for all."""
    if isinstance(frames, list) and frames and isinstance(frames[0], int):
        return max(0, frames[0])
    return 0


def _check_folder(folder: Path, frames: list[int], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give -o a folder.")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"There is no folder {folder.absolute().parent} to make {folder.name} in.")
    for frame in [] if overwrite else frames:
        for name in (flow_name(frame), mask_name(frame)):
            if (folder / name).exists():
                raise InputError(
                    f"{folder / name} exists already. Use --overwrite to replace such "
                    "files, or another -o."
                )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: can't be made: {error.strerror}.") from error
