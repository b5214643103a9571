"""Paints a few frames in every style, to choose from."""

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from fastvid.commands.preview.frames import TimedReading, at_size, choose_frames, resized
from fastvid.commands.preview.sheet import contact_sheet
from fastvid.decode.cuts import mark_cuts
from fastvid.decode.film import open_source
from fastvid.decode.geometry import working_size
from fastvid.errors import InputError
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.regions.spec import FILM, Region, read_region
from fastvid.sphere.projection import AUTO, PROJECTIONS, STEREO, Sphere, settle_sphere
from fastvid.stages.settings import PictureOptions
from fastvid.style.scale import MAX_STROKE, MIN_STROKE, painted_size, stroke_at_own_size
from fastvid.system.arguments import add_overwrite, add_threads
from fastvid.system.files import write_atomically
from fastvid.system.forms import parse_rate, parse_size
from fastvid.system.options import check_options
from fastvid.system.resources import usable_cores

if TYPE_CHECKING:
    from fastvid.style.model import StyleModel

# Of a frame on the sheet: strokes are judged well enough. They are painted as a run paints them.
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
        help=f"of a frame on the sheet; -1 for one side keeps the shape (default: {HEIGHT_PX} "
        "high)",
    )
    parser.add_argument(
        "--stroke",
        type=float,
        default=1.0,
        metavar=f"{MIN_STROKE:g}..{MAX_STROKE:g}",
        help="size of the strokes, as in a run (default: %(default)g)",
    )
    parser.add_argument(
        "--region",
        action="append",
        nargs="+",
        metavar=("MASK STYLE", "WORD"),
        help="a part of the picture in a style of its own, as in `fastvid stylize`; repeatable",
    )
    parser.add_argument("--fps", type=parse_rate, help="frames per second of a folder of images")
    _add_sphere(parser)
    add_threads(parser)
    add_overwrite(parser, "an existing sheet")


def _add_sphere(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--projection",
        choices=PROJECTIONS,
        default=AUTO,
        help="what a frame shows, as for stylize (default: %(default)s)",
    )
    parser.add_argument(
        "--stereo",
        choices=STEREO,
        default=AUTO,
        help="where the eyes of a spherical film are, as for stylize (default: %(default)s)",
    )


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
        stroke=parsed.stroke,
        fps=parsed.fps,
        projection=parsed.projection,
        stereo=parsed.stereo,
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
    stroke: float = 1.0,
    fps: Fraction | None = None,
    projection: str = AUTO,
    stereo: str = AUTO,
    threads: int | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Writes a contact sheet of a film; returns what the user should know.

    output: a .png file. styles: names or paths, None for all bundled ones. regions: painted alike
    in all of them. count: frames. size: (width, height) of a frame on the sheet, one may be -1.
    stroke: size of the strokes, as in a run. fps: of a folder of images. projection, stereo: what a
    frame shows, as `settle_sphere` takes them.
    Raises InputError for what the user can put right, StorageError if the sheet can't be written.
    """
    _check(output, count, threads, overwrite)
    check_options(PictureOptions(stroke=stroke))
    from fastvid.commands.preview.regions import RegionPainter
    from fastvid.sphere.painting import painter_of
    from fastvid.style.model import set_threads

    models = _models(styles, with_regions=bool(regions))
    names = [FILM if model is None else model.name for model in models]
    set_threads(threads or usable_cores())
    with open_source(str(input), fps=fps, on_error="keep-going") as source:
        sphere, about_sphere = settle_sphere(source.info, projection, stereo, str(input))
        own = source.info.height, source.info.width
        width, height = working_size(str(input), own[1], own[0], size or (-1, HEIGHT_PX))
        kept, kept_stroke = _kept_size(own, (height, width), stroke, sphere)
        reading = TimedReading(_READING_LIMIT_S)
        marked = reading.of(mark_cuts(source, "auto"))
        chosen = choose_frames(at_size(marked, kept), count)
        notes = [*about_sphere, *source.damage]
        notes += reading.notes(source.frame_count)
        images = [image for _, image in chosen]
        rows = [(_UNPAINTED, images)]
        if regions:
            on_cores = threads or usable_cores()
            painter = RegionPainter(source, regions, models, kept, kept_stroke, on_cores, sphere)
            notes += painter.notes
            rows += zip(names, painter.rows(chosen), strict=True)
    if not regions:
        painters = [painter_of(model, kept_stroke, sphere) for model in models if model is not None]
        rows += zip(names, (one.paint(images) for one in painters), strict=True)
    shown = [(label, [resized(one, (height, width)) for one in row]) for label, row in rows]
    sheet = contact_sheet(shown, [f"frame {index}" for index, _ in chosen])
    _, encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    write_atomically(output, encoded.tobytes())
    return notes


def _models(styles: Sequence[str] | None, with_regions: bool) -> "list[StyleModel | None]":
    """The models of the rows; None for the film, which may be what is around regions."""
    from fastvid.style.cards import bundled_styles
    from fastvid.style.loading import load_style

    names = styles if styles is not None else [card.name for card in bundled_styles()]
    if not names:
        raise InputError("--styles names no style; `python -m fastvid styles` lists them.")
    return [None if with_regions and name == FILM else load_style(name) for name in names]


def _kept_size(
    own: tuple[int, int], shown: tuple[int, int], stroke: float, sphere: Sphere | None
) -> tuple[tuple[int, int], float]:
    """The size at which the film's frames are held, and the stroke with which frames of that size
    are painted as a run paints the film's.

    own, shown: of the film and on the sheet; all sizes are (height, width). A large film is held at
    the size at which it is painted, unless more of it is to be seen, or it is a sphere.
    """
    painted = painted_size(*own, stroke)
    if sphere is None and shown[0] <= painted[0] < own[0]:
        return painted, stroke_at_own_size(*painted)
    return own, stroke


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
