"""The options of `fastvid train`, and what they ask for."""

import argparse
from pathlib import Path
from typing import Any

from fastvid.errors import InputError
from fastvid.style.lossnet import POOLINGS
from fastvid.training.bank import StyleBank
from fastvid.training.recurrent_bank import RecurrentBank
from fastvid.training.settings import PRECISIONS, RECURRENT_TEMPORAL_WEIGHT, TrainingSettings
from fastvid.training.start import Start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid train`."""
    _add_files(parser)
    _add_network(parser)
    _add_pictures(parser)
    _add_weights(parser)
    _add_running(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--style",
        nargs="+",
        required=True,
        metavar="PAINTING",
        dest="paintings",
        help="one painting, or several for one network that exports a style for each",
    )
    add("--data", required=True, metavar="DIR", help="folder of photographs")
    add(
        "--video-data",
        metavar="FILE|DIR",
        help="videos whose neighbouring frames train for stability too, with estimated flow",
    )
    add(
        "--loss-network",
        required=True,
        metavar="FILE",
        help="VGG-19 trained on ImageNet: .npz of its convolutions, or torchvision's state dict",
    )
    add(
        "-o",
        "--output",
        required=True,
        metavar="FILE|DIR",
        help="checkpoint to write, with several paintings a folder of PAINTING.pt",
    )
    add("--state", metavar="DIR", help="folder to continue from (default: OUTPUT.training)")


def _add_network(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--from",
        nargs="+",
        dest="start",
        metavar="STYLE",
        help="begin with the network of a style, a name or a file, and fit only what tells its "
        "styles apart: a new style in minutes; one STYLE, or one for each painting",
    )
    add(
        "--all-weights",
        action="store_true",
        help="with --from: train the whole network on, for another one with all its styles",
    )
    add(
        "--arch",
        help=f"network in the grammar of the design (default: {TrainingSettings.arch})",
    )
    add(
        "--recurrent",
        action="store_true",
        help="a model that is shown its previous frame, for the recurrent pipelines",
    )


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    default, add = TrainingSettings(), parser.add_argument
    add("--steps", type=int, default=default.steps)
    add("--minutes", type=float, help="train as long as this instead of so many steps")
    add("--size", type=int, default=default.size, help="side of the training pictures")
    add(
        "--painting-side",
        type=int,
        nargs="+",
        default=list(default.painting_sides),
        dest="painting_sides",
        metavar="PIXELS",
        help="shorter side of the painting, shrunk or enlarged to it, one number or one for each: "
        "smaller gives finer strokes",
    )
    add("--batch", type=int, default=default.batch, help="pictures at once, all in one style")
    add("--accumulate", type=int, default=default.accumulate, help="batches per step")
    add("--seed", type=int, default=default.seed)


def _add_weights(parser: argparse.ArgumentParser) -> None:
    default, add = TrainingSettings(), parser.add_argument
    add("--learning-rate", type=float, default=default.learning_rate)
    add("--content-weight", type=float, default=default.content_weight)
    add(
        "--style-weight",
        type=float,
        nargs="+",
        default=list(default.style_weights),
        help="one number, or one for each painting",
        dest="style_weights",
    )
    add(
        "--patch-weight",
        type=float,
        default=default.patch_weight,
        help="for colours and the finest strokes, as pixel patches show them",
    )
    add("--tv-weight", type=float, default=default.tv_weight, help="smooths")
    add(
        "--temporal-weight",
        type=float,
        help="0 trains without stability (default: "
        f"{default.temporal_weight:g}, with --recurrent {RECURRENT_TEMPORAL_WEIGHT:g})",
    )
    add(
        "--pair-share",
        type=float,
        default=default.pair_share,
        metavar="SHARE",
        help="share of the batches that are pairs of frames and train stability",
    )
    add(
        "--stability-start",
        type=float,
        default=default.stability_start,
        metavar="SHARE",
        help="share of the steps that train on single pictures first",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    default, add = TrainingSettings(), parser.add_argument
    add("--pooling", default=default.pooling, choices=POOLINGS, help="of the loss network")
    add(
        "--precision",
        default=default.precision,
        choices=PRECISIONS,
        help="of convolutions and features",
    )
    add("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add("--threads", type=int, default=None, help="threads on the CPU (default: torch's choice)")
    add("--report-every", type=int, default=50, metavar="STEPS")
    add(
        "--save-every",
        type=int,
        default=250,
        metavar="STEPS",
        help="steps between pictures; states and styles are saved with them and every 4 minutes",
    )


def settings_of(args: argparse.Namespace, start: Start | None = None) -> TrainingSettings:
    """The settings in the parsed options; one number for a painting is meant for all of them.

    start: what the training begins with, whose network it then has. Raises InputError for options
    that contradict it or each other.
    """
    if start is None and args.all_weights:
        raise InputError("--all-weights: without --from all weights are trained anyway")
    variant = (RecurrentBank if args.recurrent else StyleBank).variant
    if start is not None and start.variant != variant:
        raise InputError(
            f"--from {args.start[0]}: not a network of `fastvid train"
            f"{' --recurrent' if args.recurrent else ''}`, which alone can be trained on"
        )
    arch = args.arch or (start.arch if start else TrainingSettings.arch)
    if start is not None and arch != start.arch:
        raise InputError(f"--arch: the network of --from is {start.arch}; leave the option out")
    count = len(args.paintings)
    given: dict[str, Any] = {
        name: getattr(args, name, None) for name in TrainingSettings.__dataclass_fields__
    }
    given |= {
        "arch": arch,
        "only_norms": start is not None and not args.all_weights,
        "style_weights": _for_each("--style-weight", args.style_weights, count),
        "painting_sides": _for_each("--painting-side", args.painting_sides, count),
    }
    if given["temporal_weight"] is None:
        given["temporal_weight"] = (
            RECURRENT_TEMPORAL_WEIGHT if args.recurrent else TrainingSettings.temporal_weight
        )
    return TrainingSettings(**given)


def _for_each(option: str, numbers: list[Any], count: int) -> tuple[Any, ...]:
    """One number for each painting."""
    if len(numbers) not in (1, count):
        raise InputError(
            f"{option}: {len(numbers)} numbers for {count} paintings; give one, or one for each"
        )
    return tuple(numbers) * (count if len(numbers) == 1 else 1)


def output_paths(paintings: list[str], output: str) -> list[Path]:
    """Where the style of each painting goes; raises InputError if two would be the same file."""
    if len(paintings) == 1:
        return [Path(output)]
    paths = [Path(output) / f"{Path(painting).stem}.pt" for painting in paintings]
    if len(set(paths)) < len(paths):
        raise InputError("--style: two paintings have the same file name; rename one")
    return paths


def state_folder(args: argparse.Namespace) -> Path:
    """Where the run keeps its state."""
    return Path(args.state or f"{args.output}.training")
