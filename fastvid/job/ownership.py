"""What belongs to one run alone while that goes on: its run files and its outputs."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from fastvid.encode.encoded_parts import part_folder
from fastvid.encode.parts_label import PartsLabel
from fastvid.errors import InputError
from fastvid.runfile.lock import OUTPUT_OPTION, RunLock, lock_path
from fastvid.runfile.owner import Watch
from fastvid.runfile.reader import RunFile

_RUN_FILE_OPTION = "--run-file"


def own(places: Sequence[tuple[Path, Path]], stack: ExitStack) -> None:
    """Takes the locks of what a run writes; `stack` gives them back.

    places: run file and output of each style. Raises InputError if another run has one of them, or
    has left frames beside an output that are nowhere else; nothing has been touched then.
    """
    run_files = [(run_file, _RUN_FILE_OPTION) for run_file, _ in places]
    outputs = [(output, OUTPUT_OPTION) for _, output in places]
    watch = Watch(lock_path(path) for path, _ in run_files + outputs)
    # All runs take them in one order: of two that begin at once, one always gets them all.
    for path, option in sorted(run_files + outputs, key=lambda place: os.path.realpath(place[0])):
        stack.enter_context(RunLock(path, option, watch))
    for run_file, output in places:
        _check_parts(output, run_file)


def _check_parts(output: Path, run_file: Path) -> None:
    """Raises InputError if the parts beside an output hold frames of another run file that were
    freed there."""
    folder = part_folder(output)
    try:
        label = PartsLabel.read(folder)
    except OSError:
        return  # whoever opens the parts says what is wrong with them
    if label is None:
        return
    theirs = label.run_file or output.with_suffix(".h5")
    if os.path.realpath(theirs) == os.path.realpath(run_file):
        return
    try:
        with RunFile(theirs) as other:
            alive = label.run in (None, other.run_id.text) and not other.complete
            needed = alive and bool(other.encoded.any())
    except InputError:
        return  # there is no such run any more
    if needed:
        raise InputError(
            f"The run of {theirs} has left frames in {folder} that are nowhere else "
            f"(--discard-frames).\nFinish it first, give this run another {OUTPUT_OPTION}, or "
            f"remove {theirs}."
        )
