"""`fastvid preview`: a contact sheet, a few frames of a film in every style, to choose from."""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from fastvid.decode.cuts import mark_cuts
from fastvid.decode.film import open_source
from fastvid.decode.frame import Frame
from fastvid.errors import InputError
from fastvid.system.files import write_atomically

# Frames are reduced to about this height: strokes are judged well enough, and it takes seconds.
HEIGHT_PX = 270
DEFAULT_COUNT = 4
MAX_COUNT = 12
# A film is read for so long; of a long one the sheet shows the beginning.
_READING_LIMIT_S = 20.0
# Frames kept while reading, of the film and of its shots.
_CANDIDATES = 48
# The frame of a shot that is shown: not the first, which may still be dark or blurred.
_INTO_SHOT_FRAMES = 12
_GAP_PX = 4
_LABEL_PX = 26
_BACKGROUND = 24
_TEXT_COLOR = (235, 235, 235)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.55
_LABEL_MARGIN_PX = 6
_UNPAINTED = "the film"

# A frame's number in the film and its image, (H, W, 3) uint8 RGB.
Picture = tuple[int, np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid preview`."""
    from fastvid.commands.stylize import parse_rate, parse_size

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
    parser.add_argument("--fps", type=parse_rate, help="frames per second of a folder of images")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads (default: the cores that there are)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replaces an existing sheet")


def run(parsed: argparse.Namespace) -> list[str]:
    """Writes the sheet that was asked for; returns where it is, and notes. Raises InputError."""
    output = parsed.output or parsed.input.with_name(f"{parsed.input.stem}.preview.png")
    styles = None
    if parsed.styles is not None:
        styles = [name.strip() for name in parsed.styles.split(",") if name.strip()]
    notes = preview(
        parsed.input,
        output,
        styles=styles,
        count=parsed.count,
        size=parsed.size,
        fps=parsed.fps,
        threads=parsed.threads,
        overwrite=parsed.overwrite,
    )
    return [str(output), *(f"note: {note}" for note in notes)]


def preview(
    input: Path,
    output: Path,
    *,
    styles: Sequence[str] | None = None,
    count: int = DEFAULT_COUNT,
    size: tuple[int, int] | None = None,
    fps: Fraction | None = None,
    threads: int | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Writes a contact sheet of a film; returns what the user should know.

    output: a .png file. styles: names or paths, None for all bundled ones. count: frames. size:
    (width, height) of a frame, one may be -1. fps: of a folder of images.
    Raises InputError for what the user can put right, StorageError if the sheet can't be written.
    """
    _check(output, count, threads, overwrite)
    from fastvid.style.cards import bundled_styles
    from fastvid.style.loading import load_style
    from fastvid.style.model import set_threads
    from fastvid.system.resources import usable_cores

    names = styles if styles is not None else [card.name for card in bundled_styles()]
    if not names:
        raise InputError("--styles names no style; `python -m fastvid styles` lists them.")
    models = [load_style(name) for name in names]
    set_threads(threads or usable_cores())
    with open_source(
        str(input), fps=fps, size=size or (-1, HEIGHT_PX), on_error="keep-going"
    ) as source:
        reading = _Reading(_READING_LIMIT_S)
        chosen = choose_frames(reading.of(mark_cuts(source, "auto")), count)
        notes = [*source.damage]
        if reading.cut_short:
            notes.append(
                f"only the first {reading.frames} of {source.frame_count} frames were "
                "looked at, which took long enough"
            )
    rows = [(_UNPAINTED, [image for _, image in chosen])]
    rows += [(model.name, model.paint([image for _, image in chosen])) for model in models]
    _write(output, contact_sheet(rows, [f"frame {index}" for index, _ in chosen]))
    return notes


class _Thinned:
    """Keeps some of many items, evenly spread, however many come: at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stride = 1
        self._count = 0
        self.kept: list[Picture] = []

    def add(self, item: Picture) -> None:
        """Takes the next item, and keeps it or not."""
        if self._count % self._stride == 0:
            if len(self.kept) == self._most:
                del self.kept[1::2]
                self._stride *= 2
            if self._count % self._stride == 0:
                self.kept.append(item)
        self._count += 1


def choose_frames(marked: Iterable[tuple[Frame, bool]], count: int) -> list[Picture]:
    """`count` frames of a film in order, or all of them if there are fewer.

    marked: the film's frames, each with whether a shot begins with it. One frame of each shot (or
    of some, where there are more shots), and where that is too few, frames far from those. Holds
    some dozens of frames, however long the film is.
    """
    everywhere, shots = _Thinned(_CANDIDATES), _Thinned(_CANDIDATES)
    waiting: Picture | None = None
    frames_into_shot = 0
    for frame, begins_shot in marked:
        picture = (frame.index, frame.image)
        everywhere.add(picture)
        if begins_shot and waiting is not None:
            shots.add(waiting)
        frames_into_shot = 0 if begins_shot else frames_into_shot + 1
        if begins_shot or (waiting is not None and frames_into_shot <= _INTO_SHOT_FRAMES):
            waiting = picture
    if waiting is not None:
        shots.add(waiting)
    chosen = [shots.kept[place] for place in spread(len(shots.kept), count)]
    left = [picture for picture in everywhere.kept]
    while len(chosen) < count:
        taken = {index for index, _ in chosen}
        left = [picture for picture in left if picture[0] not in taken]
        if not left:
            break
        chosen.append(max(left, key=lambda one: min(abs(one[0] - index) for index in taken)))
    return sorted(chosen, key=lambda picture: picture[0])


def spread(total: int, count: int) -> list[int]:
    """The middles of `count` equal parts of `total` things, or all of them if there are fewer."""
    count = min(total, count)
    return [(2 * part + 1) * total // (2 * count) for part in range(count)]


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], titles: Sequence[str]
) -> np.ndarray:
    """A sheet with a row of pictures for each label, (H, W, 3) uint8 RGB.

    rows: (label, pictures of one size, uint8 RGB). titles: of the columns.
    """
    height, width = rows[0][1][0].shape[:2]
    step_x, step_y = width + _GAP_PX, height + _LABEL_PX + _GAP_PX
    sheet = np.full(
        (len(rows) * step_y + _GAP_PX, len(titles) * step_x + _GAP_PX, 3), _BACKGROUND, np.uint8
    )
    for row, (label, pictures) in enumerate(rows):
        top = _GAP_PX + row * step_y
        for column, (title, picture) in enumerate(zip(titles, pictures, strict=True)):
            left = _GAP_PX + column * step_x
            sheet[top + _LABEL_PX : top + _LABEL_PX + height, left : left + width] = picture
            text = _fitting(
                title
                if row == 0 and column
                else f"{label}, {title}"
                if row == 0
                else label
                if column == 0
                else "",
                width,
            )
            cv2.putText(
                sheet,
                text,
                (left + _LABEL_MARGIN_PX, top + _LABEL_PX - 8),
                _FONT,
                _FONT_SCALE,
                _TEXT_COLOR,
                1,
                cv2.LINE_AA,
            )
    return sheet


def _fitting(text: str, width_px: int) -> str:
    """The text without what would stick out; letters that the font lacks are question marks."""
    text = text.encode("ascii", "replace").decode("ascii")
    room = width_px - 2 * _LABEL_MARGIN_PX
    while text and cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0] > room:
        text = text[:-1]
    return text


class _Reading:
    """Passes a film's frames on until so many seconds are over."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.frames = 0
        self.cut_short = False

    def of(self, marked: Iterable[tuple[Frame, bool]]) -> Iterator[tuple[Frame, bool]]:
        """Each item, as long as there is time; at least one."""
        began = time.monotonic()
        for item in marked:
            if self.frames and time.monotonic() - began > self._limit_s:
                self.cut_short = True
                return
            self.frames += 1
            yield item


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


def _write(output: Path, sheet: np.ndarray) -> None:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    write_atomically(output, encoded.tobytes())
