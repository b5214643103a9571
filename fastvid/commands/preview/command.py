"""Paints a few frames in every style, to choose from."""

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2

from fastvid.commands.preview.frames import TimedReading, choose_frames
from fastvid.commands.preview.sheet import contact_sheet
from fastvid.decode.cuts import mark_cuts
from fastvid.decode.film import open_source
from fastvid.errors import InputError
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.regions.spec import FILM, Region, read_region
from fastvid.system.arguments import add_overwrite, add_threads
from fastvid.system.files import write_atomically
from fastvid.system.forms import parse_rate, parse_size
from fastvid.system.resources import usable_cores

# Frames are reduced to about this height: strokes are judged well enough, and it takes seconds.
HEIGHT_PX = 270
DEFAULT_COUNT = 4
MAX_COUNT = 12
# A film is read for so long; of a long one the sheet shows the beginning.
_READING_LIMIT_S = 20.0
_UNPAINTED = "the film"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid preview`."""
    parser.description = (
        "Writes a contact sheet: a few frames of a film, one of each shot where "
        "there are enough, in every style."
    )
    parser.add_argument("input", type=Path, help="a video, or a folder of numbered images")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE.png",
        help="the sheet (default: the input's name with .preview.png, beside it)",
    )
    parser.add_argument(
        "--styles",
        metavar="A,B",
        help="bundled styles or checkpoints (default: all that are bundled)",
    )
    parser.add_argument(
        "--count",
        type=int,
        default=DEFAULT_COUNT,
        metavar="N",
        help="frames (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=parse_size,
        metavar="WxH",
        help=f"of a frame; -1 for one side keeps the shape (default: {HEIGHT_PX} "
        "high); strokes are larger on smaller frames",
    )
    parser.add_argument(
        "--region",
        action="append",
        nargs="+",
        metavar=("MASK STYLE", "WORD"),
        help="a part of the picture in a style of its own, as in `fastvid stylize`; repeatable",
    )
    parser.add_argument("--fps", type=parse_rate, help="frames per second of a folder of images")
    add_threads(parser)
    add_overwrite(parser, "an existing sheet")


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Writes the sheet that was asked for; says where it is, and what the user should know."""
    output = parsed.output or parsed.input.with_name(f"{parsed.input.stem}.preview.png")
    styles = None
    if parsed.styles is not None:
        styles = [name.strip() for name in parsed.styles.split(",") if name.strip()]
    notes = preview(
        parsed.input,
        output,
        styles=styles,
        regions=[read_region(words) for words in parsed.region or ()],
        count=parsed.count,
        size=parsed.size,
        fps=parsed.fps,
        threads=parsed.threads,
        overwrite=parsed.overwrite,
    )
    lines = [str(output), *(f"note: {note}" for note in notes)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def preview(
    input: Path,
    output: Path,
    *,
    styles: Sequence[str] | None = None,
    regions: Sequence[Region] = (),
    count: int = DEFAULT_COUNT,
    size: tuple[int, int] | None = None,
    fps: Fraction | None = None,
    threads: int | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Writes a contact sheet of a film; returns what the user should know.

    output: a .png file. styles: names or paths, None for all bundled ones. regions: painted alike
    in all of them. count: frames. size: (width, height) of a frame, one may be -1. fps: of a folder
    of images.
    Raises InputError for what the user can put right, StorageError if the sheet can't be written.
    """
    _check(output, count, threads, overwrite)
    from fastvid.commands.preview.regions import RegionPainter
    from fastvid.style.cards import bundled_styles
    from fastvid.style.loading import load_style
    from fastvid.style.model import set_threads

    names = styles if styles is not None else [card.name for card in bundled_styles()]
    if not names:
        raise InputError("--styles names no style; `python -m fastvid styles` lists them.")
    # With regions the film itself may be what is around them.
    models = [None if regions and name == FILM else load_style(name) for name in names]
    set_threads(threads or usable_cores())
    with open_source(
        str(input), fps=fps, size=size or (-1, HEIGHT_PX), on_error="keep-going"
    ) as source:
        reading = TimedReading(_READING_LIMIT_S)
        chosen = choose_frames(reading.of(mark_cuts(source, "auto")), count)
        notes = [*source.damage]
        if reading.cut_short:
            notes.append(
                f"only the first {reading.frames} of {source.frame_count} frames were "
                "looked at, which took long enough"
            )
        painter = None
        if regions:
            painter = RegionPainter(input, source, regions, models, threads or usable_cores())
            notes += painter.notes
    images = [image for _, image in chosen]
    rows = [(_UNPAINTED, images)]
    if painter is None:
        rows += [(model.name, model.paint(images)) for model in models if model is not None]
    else:
        names = [FILM if model is None else model.name for model in models]
        rows += zip(names, painter.rows(chosen), strict=True)
    sheet = contact_sheet(rows, [f"frame {index}" for index, _ in chosen])
    _, encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    write_atomically(output, encoded.tobytes())
    return notes


def _check(output: Path, count: int, threads: int | None, overwrite: bool) -> None:
    """Raises InputError before anything is read."""
    if not 1 <= count <= MAX_COUNT:
        raise InputError(f"--count {count} is outside 1..{MAX_COUNT}.")
    if threads is not None and threads < 1:
        raise InputError(f"--threads {threads} is less than 1.")
    if output.suffix.lower() != ".png":
        raise InputError(f"{output}: the sheet is a PNG; give a name that ends in .png.")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise InputError(
            f"{output}: there is no folder to write it into, or it is a folder; use another -o."
        )
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists already. Use --overwrite to replace it, or another -o.")
