"""Foretells time, memory and disk of a run on other numbers of ranks."""

import argparse
import sys
from pathlib import Path

from fastvid.commands.plan.plan import make_plan, rank_counts
from fastvid.commands.plan.report import format_plan
from fastvid.commands.plan.script import write_script
from fastvid.commands.stylize import add_stylize_arguments, stylize_options
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid plan`: its own, and all of `fastvid stylize`."""
    parser.description = (
        "Times a few frames here and foretells a run on other numbers of ranks. "
        "Takes the options of `fastvid stylize` and refuses what that would "
        "refuse; a rank has one thread unless --threads says otherwise."
    )
    parser.add_argument(
        "--ranks",
        default="1,4,16,64",
        metavar="N,N,...",
        help="numbers of ranks (default: %(default)s)",
    )
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE",
        help="writes a submission script for the best of them, with all options, "
        "for GPUs if it was painted on one here",
    )
    add_stylize_arguments(parser, output_required=False)


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Prints the plan, and writes the script that was asked for."""
    ranks = rank_counts(parsed.ranks)
    parsed.output = parsed.output or f"{parsed.input.stem}.painted.mp4"
    options = stylize_options(parsed)
    plan = make_plan(options, ranks)
    sys.stdout.write(format_plan(plan, options) + "\n")
    if parsed.script:
        write_script(parsed.script, plan, options, options.overwrite)
        sys.stdout.write(f"sbatch {parsed.script}\n")
    return 0
