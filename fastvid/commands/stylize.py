"""Repaints a whole video in the style of a painting, without flicker, in parallel."""

import argparse
from dataclasses import replace
from pathlib import Path

from fastvid.encode.codecs import FOLDER_CODEC
from fastvid.job.options import GROUPS, StylizeOptions
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.arguments import add_options
from fastvid.system.options import with_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid stylize`."""
    add_stylize_arguments(parser)


def add_stylize_arguments(parser: argparse.ArgumentParser, output_required: bool = True) -> None:
    """The input, the output and all options of a run, which `plan` takes too."""
    parser.add_argument("input", type=Path, help="a video, or a folder of numbered images")
    parser.add_argument(
        "-o",
        "--output",
        required=output_required,
        help="the video to write (.mp4 .mkv .mov ...), or a folder of PNGs (NAME/)",
    )
    add_options(parser, StylizeOptions, GROUPS)


def stylize_options(parsed: argparse.Namespace) -> StylizeOptions:
    """The options in what `add_stylize_arguments` has parsed."""
    options = StylizeOptions(parsed.input, Path(parsed.output))
    return for_folder(with_options(options, vars(parsed)), parsed.output)


def for_folder(options: StylizeOptions, output: str) -> StylizeOptions:
    """The options with the codec of a folder of images, if the output as given, with the slash at
    its end that a Path drops, asks for a folder and no codec was chosen."""
    if output.endswith("/") and options.codec is None:
        return replace(options, codec=FOLDER_CODEC)
    return options


def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Repaints the video on all ranks."""
    options = stylize_options(parsed)
    # torch takes two seconds to import: a mistake in the command line is told before.
    from fastvid.job.progress import Progress
    from fastvid.job.run import run_job

    run_job(options, comm, Progress(options.progress))
    return 0
