"""How large strokes are on films of all sizes, what painting costs at 1080p, whether styles morph.

    python benchmarks/strokes.py --json                    # all; minutes
    python benchmarks/strokes.py --figures speed --styles wave --repeats 3

Method in benchmarks/README.md.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from fastvid.style.cards import bundled_styles
from fastvid.style.loading import load_style
from fastvid.style.lossnet import load_loss_network
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.painter import Painter
from fastvid.system.allocator import keep_freed_memory
from fastvid.training.photos import find_photos, read_photo
from harness.arguments import words_among, words_of
from harness.fav_network import reference, seconds_in_turns
from harness.morph import MORPH_FRAMES, moves_on, style_distances
from harness.result import Bar, Figure, add_json_option, measured, write_result
from harness.stroke_length import stroke_length

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FIGURES = ("stroke", "speed", "morph")
SMALL, LARGE = (360, 640), (2160, 3840)
FULL_HD = (1080, 1920)
SAME_STROKES, TWENTY_TIMES, EVERY_STEP = Bar(0.85, 1.15), Bar(at_least=20), Bar(at_least=1)


def main() -> int:
    """Measures what was asked for and prints each figure as it comes."""
    keep_freed_memory()
    parsed = _parse()
    set_threads(parsed.threads)
    styles = parsed.styles or [card.name for card in bundled_styles()]
    measures = {"stroke": stroke_figures, "speed": speed_figures, "morph": morph_figures}
    figures: list[Figure] = []
    for name in parsed.figures:
        for figure in measures[name](parsed, styles):
            figures.append(figure)
            of = " ".join(map(str, figure.of.values()))
            sys.stdout.write(f"{figure.name:<34} {of:<34} {figure.value:>8.3f} {figure.unit}\n")
            sys.stdout.flush()
    write_result(parsed.json, measured("strokes", parsed, figures))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--figures",
        type=words_among(FIGURES),
        default=FIGURES,
        help=f"of {','.join(FIGURES)} (default: all)",
    )
    parser.add_argument("--styles", type=words_of, help="names or checkpoints (default: bundled)")
    parser.add_argument("--photos", type=int, default=3, help="of those held out of training")
    parser.add_argument("--data", default=str(DATA / "train"))
    parser.add_argument("--paintings", type=Path, default=DATA / "styles")
    parser.add_argument("--loss-network", default=str(DATA / "lossnet" / "vgg19_relu4_1.npz"))
    parser.add_argument("--repeats", type=int, default=3, help="for speed")
    parser.add_argument("--threads", type=int, default=1)
    add_json_option(parser)
    return parser.parse_args()


def photos_at(parsed: argparse.Namespace, size: tuple[int, int]) -> list[np.ndarray]:
    """Photographs that training held out at this size, (H, W, 3) uint8 RGB."""
    paths = find_photos(parsed.data, SMALL[0]).held_out[: parsed.photos]
    photos = [np.ascontiguousarray(read_photo(path, SMALL[0])[..., ::-1]) for path in paths]
    return [cv2.resize(photo, size[::-1], interpolation=cv2.INTER_CUBIC) for photo in photos]


def stroke_figures(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Figure]:
    """Each style's stroke length at 2160p over that at 360p, both relative to the height; the same
    painted at the film's own size beside it."""
    for style in styles:
        model = load_style(style)
        small = _length(Painter(model, 1.0), photos_at(parsed, SMALL))
        large = _length(Painter(model, 1.0), photos_at(parsed, LARGE))
        own = _length(model, photos_at(parsed, FULL_HD))
        of = {"style": Path(style).stem}
        yield Figure("  stroke length at 360p", 100 * small, "% of height", of)
        yield Figure("stroke length 2160p / 360p", large / small, "ratio", of, bar=SAME_STROKES)
        yield Figure("  1080p at its own size / 360p", own / small, "ratio", of)


def _length(painter: Painter | StyleModel, frames: Sequence[np.ndarray]) -> float:
    """Relative to the height, the mean over frames."""
    lengths = []
    for frame in frames:
        (painted,) = painter.paint([frame])
        lengths.append(stroke_length(painted))
    return float(np.mean(lengths))


def speed_figures(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Figure]:
    """How many times faster a style paints a frame of 1920x1080 than the Fast Artistic Videos
    network does, pixels to pixels, the enlargement included."""
    frame = np.random.default_rng(0).integers(0, 256, (*FULL_HD, 3), np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 2.0)
    paints = [partial(Painter(load_style(style), 1.0).paint, [frame]) for style in styles]
    slow, *fast = seconds_in_turns([reference(*FULL_HD, plain=True), *paints], parsed.repeats)
    yield Figure("  time", slow, "s a frame", {"network": "Fast Artistic Videos"})
    for style, seconds in zip(styles, fast, strict=True):
        of = {"network": Path(style).stem}
        yield Figure("  time", seconds, "s a frame", of)
        yield Figure("speed / FAV network", slow / seconds, "ratio", of, bar=TWENTY_TIMES)


def morph_figures(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Figure]:
    """Whether style error falls to one style and rises to the other in each of 47 steps, the first
    style against each of the others."""
    network = load_loss_network(parsed.loss_network)
    (photo, *_) = photos_at(parsed, SMALL)
    first, *others = styles
    for other in others:
        rising, falling = style_distances(first, other, photo, network, parsed.paintings)
        of: dict[str, str | int | float] = {
            "from": Path(first).stem,
            "to": Path(other).stem,
            "frames": MORPH_FRAMES,
        }
        yield Figure("steps away from the first", moves_on(rising), "of all", of, bar=EVERY_STEP)
        towards = moves_on(falling[::-1])
        yield Figure("steps towards the second", towards, "of all", of, bar=EVERY_STEP)


if __name__ == "__main__":
    sys.exit(main())
