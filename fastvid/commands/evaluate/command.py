"""Measures the steadiness and sharpness of a finished run."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fastvid.commands.evaluate.figures import Evaluation, format_table
from fastvid.commands.evaluate.likeness import Likeness, format_likeness
from fastvid.commands.evaluate.run import evaluate_run, likeness_of_run
from fastvid.errors import InputError
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
    parser.add_argument(
        "--painting",
        type=Path,
        metavar="FILE",
        help="measures on a few frames, too, how much of this painting and of the film is in the "
        "result; takes --loss-network",
    )
    parser.add_argument(
        "--loss-network",
        metavar="FILE",
        help="VGG-19 trained on ImageNet, as `fastvid train` takes it",
    )
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="prints JSON instead of a table")


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Prints what was measured."""
    if (parsed.painting is None) != (parsed.loss_network is None):
        raise InputError("--painting and --loss-network: give both, or neither.")
    evaluation = evaluate_run(
        parsed.run_file,
        parsed.input,
        judge=parsed.judge,
        style=parsed.style,
        with_painting=not parsed.no_painting,
        limit=parsed.frames,
        threads=parsed.threads,
    )
    found = None
    if parsed.painting is not None:
        found = likeness_of_run(
            parsed.run_file, parsed.input, parsed.painting, parsed.loss_network, parsed.frames
        )
    sys.stdout.write(_as_json(evaluation, found) if parsed.json else _as_text(evaluation, found))
    return 0


def _as_text(evaluation: Evaluation, found: Likeness | None) -> str:
    parts = [format_table(evaluation), *([] if found is None else [format_likeness(found)])]
    return "\n".join(parts) + "\n"


def _as_json(evaluation: Evaluation, found: Likeness | None) -> str:
    content = asdict(evaluation)
    if found is not None:
        content["likeness"] = asdict(found)
    return json.dumps(content, indent=1) + "\n"
