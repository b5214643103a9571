"""The options of `fastvid stylize`, from the command line to `StylizeOptions`."""

import argparse
from fractions import Fraction
from pathlib import Path

from fastvid.encode.codecs import FOLDER_CODEC, available_codecs
from fastvid.job.options import DECODERS, DEVICES, KEEPABLE, PIPELINES, StylizeOptions
from fastvid.job.progress import PROGRESS_MODES
from fastvid.motion.flow import FLOW_METHODS
from fastvid.parallel.logs import LOG_LEVELS
from fastvid.stages.temporal import MAX_STRENGTH
from fastvid.system.arguments import Parser

DESCRIPTION = "Repaints a whole video in the style of a painting, without flicker, in parallel."


def stylize_parser() -> argparse.ArgumentParser:
    """The parser of `fastvid stylize`."""
    parser = Parser(prog="fastvid stylize", description=DESCRIPTION)
    add_stylize_arguments(parser)
    return parser


def add_stylize_arguments(parser: argparse.ArgumentParser, output_required: bool = True) -> None:
    """The options of `fastvid stylize`, which `plan` takes too."""
    default = StylizeOptions(Path(), Path())
    parser.add_argument("input", type=Path, help="a video, or a folder of numbered images")
    parser.add_argument(
        "-o",
        "--output",
        required=output_required,
        help="the video to write (.mp4 .mkv .mov ...), or a folder of PNGs (NAME/)",
    )
    parser.add_argument(
        "--style",
        action="append",
        metavar="NAME|PATH",
        help="a bundled style or a checkpoint; give several for one output each "
        f"(OUTPUT.STYLE.mp4) from one pass (default: {default.style})",
    )
    parser.add_argument(
        "--run-file",
        type=Path,
        metavar="FILE.h5",
        help="where the frames are gathered (default: the output's name, .h5)",
    )

    part = parser.add_argument_group("which part, at which size")
    part.add_argument(
        "--frames",
        type=_frame_range,
        metavar="A:B",
        help="only frames A to B-1, counted from 0; either may be left out",
    )
    part.add_argument(
        "--size",
        type=parse_size,
        metavar="WxH",
        help="working size; -1 for one side keeps the shape",
    )
    part.add_argument("--fps", type=parse_rate, help="frames per second of a folder of images")
    part.add_argument(
        "--cuts",
        default=default.cuts,
        metavar="auto|none|FILE.csv",
        help="where shots begin: found, nowhere, or one frame number a line (default: %(default)s)",
    )
    part.add_argument(
        "--on-error",
        choices=("stop", "keep-going"),
        default=default.on_error,
        help="at frames that can't be decoded: stop, or repeat the last good frame "
        "(default: %(default)s)",
    )

    picture = parser.add_argument_group("the picture")
    picture.add_argument(
        "--strength",
        type=_number,
        default=default.strength,
        metavar="0..1",
        help="mixes the painting with the film (default: %(default)g)",
    )
    picture.add_argument(
        "--keep-colors",
        action="store_true",
        help="paints the luminance only; the film keeps its colours",
    )
    picture.add_argument(
        "--temporal-strength",
        type=_number,
        metavar=f"0..{MAX_STRENGTH}",
        default=default.temporal_strength,
        help="how much of the frame before is kept where it can be trusted; 0 "
        "paints frame by frame (default: %(default)g)",
    )
    picture.add_argument(
        "--flow",
        choices=FLOW_METHODS,
        default=default.flow,
        help="optical flow method (default: %(default)s)",
    )
    picture.add_argument(
        "--flow-scale",
        type=_number,
        default=default.flow_scale,
        metavar="S",
        help="computes the flow at this share of the size (default: %(default)g)",
    )
    picture.add_argument(
        "--mask-boundaries",
        action="store_true",
        help="counts motion boundaries as unreliable, as the 2016 tool did",
    )
    picture.add_argument(
        "--flow-dir",
        type=Path,
        metavar="DIR",
        help="reads backward_5_4.flo and reliable_5_4.pgm (from frame 5 to 4 of "
        "the film, counted from 1) instead of computing flow; every rank must "
        "see the folder",
    )

    _add_recurrent_arguments(parser, default)

    output = parser.add_argument_group("the output")
    output.add_argument("--codec", metavar="NAME", help=" ".join(available_codecs()))
    output.add_argument("--crf", type=_number, help="constant quality; lower is better and larger")
    output.add_argument("--preset", help="speed of the encoder, such as fast, medium, slow")
    output.add_argument(
        "--no-location",
        action="store_true",
        help="leaves out where the film was made: tags, and data tracks of cameras",
    )
    output.add_argument(
        "--keep",
        type=_keep,
        default=default.keep,
        metavar="flow,occlusion",
        help="stores these in the run file too",
    )
    output.add_argument(
        "--compression",
        choices=("none", "gzip"),
        default=default.compression,
        help="of the frames in the run file (default: %(default)s; gzip saves about a tenth)",
    )
    output.add_argument(
        "--discard-frames",
        action="store_true",
        help="frees frames in the run file as soon as they are safely encoded",
    )
    output.add_argument(
        "--overwrite", action="store_true", help="replaces an output that no run file belongs to"
    )

    job = parser.add_argument_group("the job")
    job.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads of each rank (default: the cores that it has)",
    )
    job.add_argument(
        "--device",
        choices=DEVICES,
        default=default.device,
        help="paints on the CPU, or on the GPUs, which the ranks of a host share; "
        "auto: on GPUs if there are any (default: %(default)s)",
    )
    job.add_argument(
        "--decode",
        choices=DECODERS,
        default=default.decode,
        help="rank 0 decodes for all; local: every rank reads its own frames from the "
        "input, which all must see; auto: that, where it can be exact and is cheap "
        "(default: %(default)s)",
    )
    job.add_argument(
        "--segment-length",
        type=int,
        default=default.segment_length,
        metavar="N",
        help="frames dealt to a rank at a time (default: %(default)s)",
    )
    job.add_argument(
        "--lookahead",
        type=int,
        default=default.lookahead,
        metavar="N",
        help="unfinished segments that a rank may hold; with recurrent models four "
        "times as many, or two stretches (default: %(default)s)",
    )
    job.add_argument(
        "--restart", action="store_true", help="starts over instead of continuing the run file"
    )
    job.add_argument(
        "--time-limit",
        type=_number,
        metavar="S",
        help="stops in good order after so many seconds, with status 75: run me again",
    )
    job.add_argument(
        "--grace",
        type=_number,
        default=default.grace,
        metavar="S",
        help="leaves within so many seconds after SIGTERM, SIGUSR1 or the time limit "
        "(default: %(default)g)",
    )
    job.add_argument(
        "--rank-timeout",
        type=_number,
        default=default.rank_timeout,
        metavar="S",
        help="takes a rank for dead that is silent for so long (default: %(default)g)",
    )
    job.add_argument("--log-dir", type=Path, metavar="DIR", help="writes one log file a rank here")
    job.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default=default.log_level,
        help="of the log files (default: %(default)s)",
    )
    job.add_argument(
        "--progress",
        choices=PROGRESS_MODES,
        default="auto",
        help="a live bar, lines for a log, or none (default: %(default)s)",
    )


def _add_recurrent_arguments(parser: argparse.ArgumentParser, default: StylizeOptions) -> None:
    recurrent = parser.add_argument_group("recurrent models")
    recurrent.add_argument(
        "--first-frame-model",
        metavar="NAME|PATH",
        help="paints the first frame of each shot instead of the model itself",
    )
    recurrent.add_argument(
        "--pipeline",
        choices=PIPELINES,
        default=default.pipeline,
        help="exact: frame after frame within a shot; overlap: shots are cut "
        "into stretches that are painted side by side and joined afterwards "
        "(default: %(default)s)",
    )
    recurrent.add_argument(
        "--overlap-segment",
        type=int,
        default=default.overlap_segment,
        metavar="FRAMES",
        help="of a stretch (default: %(default)s)",
    )
    recurrent.add_argument(
        "--overlap-warm-up",
        type=int,
        default=default.overlap_warm_up,
        metavar="FRAMES",
        help="that a stretch starts early, without its past (default: %(default)s)",
    )
    recurrent.add_argument(
        "--overlap-recompute",
        type=int,
        default=default.overlap_recompute,
        metavar="FRAMES",
        help="that are painted again at most once the past is known (default: %(default)s)",
    )
    recurrent.add_argument(
        "--overlap-tolerance",
        type=_number,
        default=default.overlap_tolerance,
        metavar="LEVELS",
        help="of 255: a mean difference of less ends that (default: %(default)g)",
    )
    recurrent.add_argument(
        "--overlap-fade",
        type=int,
        default=default.overlap_fade,
        metavar="FRAMES",
        help="over which the rest of the difference fades along the flow (default: %(default)s)",
    )


def stylize_options(parsed: argparse.Namespace) -> StylizeOptions:
    """The options in what `add_stylize_arguments` has parsed."""
    values = {
        name: value
        for name, value in vars(parsed).items()
        if name in StylizeOptions.__dataclass_fields__
    }
    values["style"] = tuple(parsed.style) if parsed.style else StylizeOptions.style
    # A trailing slash means a folder of images, but a Path drops it.
    values["output"] = Path(parsed.output)
    if parsed.output.endswith("/") and parsed.codec is None:
        values["codec"] = FOLDER_CODEC
    return StylizeOptions(**values)


def _number(text: str) -> float:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def _frame_range(text: str) -> tuple[int, int | None]:
    first, colon, stop = text.partition(":")
    if not colon or not all(
        part.isascii() and (part == "" or part.isdigit()) for part in (first, stop)
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range A:B of frame numbers")
    return int(first or 0), int(stop) if stop else None


def parse_size(text: str) -> tuple[int, int]:
    """The value of --size, for argparse."""
    width, cross, height = text.lower().partition("x")
    try:
        if not cross:
            raise ValueError
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size like 1280x720 or 1280x-1"
        ) from None


def parse_rate(text: str) -> Fraction:
    """The value of --fps, for argparse."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate like 25 or 30000/1001") from None
    if rate <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return rate


def _keep(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in KEEPABLE:
            raise argparse.ArgumentTypeError(f"{name!r} can't be kept, only {', '.join(KEEPABLE)}")
    return names
