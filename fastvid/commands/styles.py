"""Lists the bundled styles, or says what a model file is."""

import argparse
import sys

from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.style.cards import DEFAULT_STYLE, bundled_styles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid styles`."""
    parser.description = (
        "Lists the bundled styles, or says what models are: of `fastvid train`, "
        "of Fast Artistic Videos (.t7), its PyTorch port, or the PyTorch "
        "examples' fast_neural_style."
    )
    parser.add_argument("files", nargs="*", metavar="FILE|NAME", help="models to describe")


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Lists the styles, or describes those that are named."""
    if parsed.files:
        from fastvid.style.describe import describe_file

        sys.stdout.write("\n\n".join(map(describe_file, parsed.files)) + "\n")
        return 0
    for card in bundled_styles():
        default = " (default)" if card.name == DEFAULT_STYLE else ""
        made = ", ".join(part for part in (card.title, card.painter, card.year) if part)
        sys.stdout.write(f"{card.name}{default}\n    {made}\n    {card.training}\n")
    return 0
