"""Writes another program's model (.t7, .pth) as a checkpoint of this one."""

import argparse
import sys
from pathlib import Path

from fastvid.encode.place import check_place
from fastvid.errors import InputError
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.style.checkpoint import checkpoint_bytes, read_checkpoint
from fastvid.system.arguments import add_overwrite
from fastvid.system.files import write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid convert`."""
    parser.description = (
        "Writes a model of Fast Artistic Videos (.t7), its PyTorch port or the "
        "PyTorch examples as a checkpoint of this project. It paints the same "
        "bytes."
    )
    parser.add_argument("input", metavar="IN", help="a model; its format is found by its content")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.pt")
    add_overwrite(parser)


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Converts a model and says what it was."""
    sys.stdout.write(convert(parsed.input, parsed.output, parsed.overwrite) + "\n")
    return 0


def convert(source: str, output: Path, overwrite: bool = False) -> str:
    """Writes the model of a file as the project's own checkpoint; returns what was written.

    The converted model paints the same bytes. Raises InputError for a file that is no model or an
    output that exists or can't be written.
    """
    path = check_place(output, source, folder=False)
    if path.exists() and not overwrite:
        raise InputError(f"{output} exists already. Use --overwrite to replace it, or another -o.")
    model = read_checkpoint(source)
    data = checkpoint_bytes(
        model.arch,
        model.weights,
        model.style or Path(source).stem,
        model.mean_bgr,
        model.scale,
        model.variant,
    )
    write_atomically(path, data)
    return f"{output}: {model.variant.kind} model of {source} ({model.source})"
