"""Measures the steadiness and sharpness of a finished run."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fastvid.commands.evaluate.figures import format_table
from fastvid.commands.evaluate.run import evaluate_run
from fastvid.motion.flow import FLOW_METHODS
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.system.arguments import add_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid evaluate`."""
    parser.description = (
        "Measures steadiness and sharpness of a run, beside the input (floor) "
        "and frame-by-frame painting (ceiling)."
    )
    parser.add_argument("run_file", type=Path, help="a run file (.h5) whose run is complete")
    parser.add_argument("input", type=Path, help="the input of the run")
    parser.add_argument(
        "--judge",
        choices=FLOW_METHODS,
        help="the flow that judges (default: deepflow, or dis-medium for a run with deepflow)",
    )
    parser.add_argument("--style", help="the checkpoint of the run, if it is no bundled style")
    parser.add_argument(
        "--no-painting",
        action="store_true",
        help="leaves out frame-by-frame painting, which takes the network's time",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames")
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="prints JSON instead of a table")


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Prints what was measured."""
    evaluation = evaluate_run(
        parsed.run_file,
        parsed.input,
        judge=parsed.judge,
        style=parsed.style,
        with_painting=not parsed.no_painting,
        limit=parsed.frames,
        threads=parsed.threads,
    )
    text = json.dumps(asdict(evaluation), indent=1) if parsed.json else format_table(evaluation)
    sys.stdout.write(text + "\n")
    return 0
