"""How much of the painting and of the photograph is in what styles paint, beside others' results.

    python benchmarks/likeness.py --json likeness.json --sheet likeness.png
    python benchmarks/likeness.py --styles wave,new.pt=hokusai_great_wave.jpg --photos 3

Figures of `fastvid.commands.evaluate.likeness`, each result against the painting it was trained
from: a peer's pictures of one photograph (fast-style-transfer, L. Engstrom, 2016), published
networks, and ours; ours and the published ones on photographs held out of training as well.
"""

import argparse
import hashlib
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fastvid.commands.evaluate.likeness import Likeness, likeness
from fastvid.errors import InputError
from fastvid.style.cards import bundled_styles, find_style
from fastvid.style.loading import load_style
from fastvid.style.lossnet import load_loss_network
from fastvid.style.model import set_threads
from fastvid.training.photos import find_photos
from harness.arguments import words_of
from harness.picture_sheet import draw_sheet
from harness.result import Bar, Figure, add_json_option, measured, write_result

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PEER_PHOTO = "chicago"
# What the peer calls a style, what it is called here, and the painting that both had.
PEER = {
    "wave": ("wave", "wave.jpg"),
    "the_scream": ("the_scream", "the_scream.jpg"),
    "udnie": ("udnie", "udnie.jpg"),
    "wreck": ("minotaur", "the_shipwreck_of_the_minotaur.jpg"),
}
# Of the published networks one has a painting that is at hand.
PUBLISHED = {"udnie_full.pth": "udnie.jpg", "udnie_nc8.model": "udnie.jpg"}
COMMON = tuple(style for style, _ in PEER.values())
HELD_OUT = "held out"
OURS = "fastvid"
BARS = {
    "style error": Bar(at_most=0.049),
    "content kept": Bar(at_least=0.62),
    "texture": Bar(at_most=2.6),
    "colour": Bar(at_most=8.0),
}
UNITS = {"style error": "ratio", "content kept": "ratio", "texture": "levels", "colour": "levels"}
FOUR = "the common four"

# One result's figures.
Row = dict[str, Any]
# (H, W, 3) uint8 BGR to the same.
Paint = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Contestant:
    """Who painted, in which style, after which painting, and how; photos: of which it can."""

    who: str
    style: str
    painting: Path
    paint: Paint
    photos: tuple[str, ...]


def main() -> int:
    """Judges everybody on every photograph; prints rows as they come, then means."""
    parsed = _parse()
    set_threads(parsed.threads)
    network = load_loss_network(parsed.loss_network)
    photos = _photos(parsed)
    rows: list[Row] = []
    sheet: dict[str, list[tuple[str, np.ndarray]]] = {}
    sys.stdout.write(_HEADING)
    for contestant in _contestants(parsed, tuple(photos)):
        painting = _read(contestant.painting)
        for name in contestant.photos:
            picture = contestant.paint(photos[name])
            row = _row(contestant, name, likeness(network, photos[name], picture, painting))
            rows.append(row)
            if name == PEER_PHOTO:
                sys.stdout.write(format_row(row))
                pictures = sheet.setdefault(contestant.style, [("painting", painting)])
                pictures.append((contestant.who, picture))
        sys.stdout.flush()
    for row in means(rows):
        sys.stdout.write(format_row(row))
    if parsed.sheet:
        cv2.imwrite(str(parsed.sheet), draw_sheet(photos.get(PEER_PHOTO), sheet))
    figures = [*figures_of(means(rows)), *figures_of(rows)]
    write_result(parsed.json, measured("likeness", parsed, figures))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--styles",
        type=words_of,
        metavar="NAME[=PAINTING],...",
        help="names or checkpoints, with a painting's file name where no card tells it "
        "(default: all bundled ones)",
    )
    add("--photos", type=int, default=10, help="how many of those held out")
    add("--data", default=str(DATA / "train"), help="photographs that styles were trained with")
    add("--paintings", type=Path, nargs="+", default=[DATA / "paintings", DATA / "styles"])
    add("--peers", type=Path, default=DATA / "peers")
    add("--published", type=Path, default=DATA / "published")
    add("--loss-network", default=str(DATA / "lossnet" / "vgg19_relu4_1.npz"))
    add("--only-ours", action="store_true", help="leaves out the peer and published networks")
    add("--threads", type=int, default=1)
    add_json_option(parser)
    add("--sheet", type=Path, help="an image file: painting and results side by side")
    return parser.parse_args()


def _photos(parsed: argparse.Namespace) -> dict[str, np.ndarray]:
    """The peer's photograph, then those held out, by name."""
    held_out = find_photos(parsed.data, 1).held_out[: parsed.photos]
    paths = [parsed.peers / f"{PEER_PHOTO}.jpg", *map(Path, held_out)]
    return {path.stem: _read(path) for path in paths}


def _contestants(parsed: argparse.Namespace, photos: tuple[str, ...]) -> Iterator[Contestant]:
    if not parsed.only_ours:
        for name, (style, painting) in PEER.items():
            picture = _read(parsed.peers / f"{PEER_PHOTO}_{name}.jpg")
            path = find_painting(painting, None, parsed.paintings)
            yield Contestant("peer", style, path, partial(_known, picture), (PEER_PHOTO,))
        for file, painting in PUBLISHED.items():
            path = find_painting(painting, None, parsed.paintings)
            paint = _painter(str(parsed.published / file))
            yield Contestant(Path(file).stem, "udnie", path, paint, photos)
    cards = {card.name: card.path for card in bundled_styles()}
    for text in parsed.styles or cards:
        style, _, given = text.partition("=")
        card_path = Path(find_style(style)).with_suffix(".json")
        card = json.loads(card_path.read_text("utf-8")) if card_path.is_file() else {}
        name = given or str(card.get("painting", f"{Path(style).stem}.jpg"))
        path = find_painting(name, card.get("painting_sha256"), parsed.paintings)
        yield Contestant(OURS, Path(style).stem, path, _painter(style), photos)


def _known(picture: np.ndarray, _: np.ndarray) -> np.ndarray:
    """What was painted elsewhere."""
    return picture


def find_painting(name: str, sha256: str | None, folders: Sequence[Path]) -> Path:
    """The file with this hash or else of this name, in the first folder that has it.

    A path to a file is taken as it is. Raises InputError if there is none.
    """
    if Path(name).is_file():
        return Path(name)
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    for path in files:
        if sha256 and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return path
    for path in files:
        if path.name == name:
            return path
    raise InputError(f"no painting {name} in {', '.join(map(str, folders))}; give NAME=PAINTING")


def _painter(style: str) -> Paint:
    model = load_style(style)

    def paint(photo: np.ndarray) -> np.ndarray:
        (painted,) = model.paint([np.ascontiguousarray(photo[..., ::-1])])
        return np.ascontiguousarray(painted[..., ::-1])

    return paint


def _row(contestant: Contestant, photo: str, found: Likeness) -> Row:
    return {
        "who": contestant.who,
        "style": contestant.style,
        "photo": photo,
        "style error": found.style_error,
        "content kept": found.content_kept,
        "texture": statistics.mean(found.texture),
        "textures": found.texture,
        "colour": found.colour[0],
        "colours": found.colour,
    }


def means(rows: Sequence[Row]) -> list[Row]:
    """Means over the photographs held out, of each style; then over the common styles and all."""
    found = []
    for who in dict.fromkeys(row["who"] for row in rows):
        ours = [row for row in rows if row["who"] == who]
        away = [row for row in ours if row["photo"] != PEER_PHOTO]
        styles = dict.fromkeys(row["style"] for row in away)
        found += [
            _mean(who, style, HELD_OUT, [row for row in away if row["style"] == style])
            for style in styles
        ]
        at_peer = [row for row in ours if row["photo"] == PEER_PHOTO]
        common = [row for row in at_peer if row["style"] in COMMON]
        if len(common) == len(COMMON):
            found.append(_mean(who, FOUR, PEER_PHOTO, common))
        if len(styles) > 1:
            found.append(_mean(who, "all", HELD_OUT, away))
    return found


def figures_of(rows: Sequence[Row]) -> Iterator[Figure]:
    """The figures of rows; the mean over the common styles has bars."""
    for row in rows:
        of = {key: row[key] for key in ("who", "style", "photo")}
        for name, unit in UNITS.items():
            judged = row["who"] == OURS and row["style"] == FOUR
            yield Figure(name, row[name], unit, of, bar=BARS[name] if judged else None)


def _mean(who: str, style: str, photo: str, rows: Sequence[Row]) -> Row:
    figures = {name: statistics.mean(row[name] for row in rows) for name in BARS}
    textures = [
        statistics.mean(values) for values in zip(*(row["textures"] for row in rows), strict=True)
    ]
    return {"who": who, "style": style, "photo": photo, **figures, "textures": textures}


_HEADING = (
    f"{'who':<10} {'style':<16} {'photograph':<12} {'style error':>11} "
    f"{'content kept':>12} {'texture':>8} {'colour':>7}  texture at scales 1, 2, 4, 8\n"
)


def format_row(row: Row) -> str:
    """One line of the table."""
    scales = " ".join(f"{value:5.1f}" for value in row["textures"])
    return (
        f"{row['who']:<10.10} {row['style']:<16} {row['photo']:<12.12} "
        f"{row['style error']:>11.3f} {row['content kept']:>12.2f} {row['texture']:>8.2f} "
        f"{row['colour']:>7.1f}  {scales}\n"
    )


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    if image is None:
        raise InputError(f"{path}: not an image that can be read")
    return np.asarray(image)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as problem:
        sys.exit(str(problem))
