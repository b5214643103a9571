"""Makes the pictures of README.md: frames of films, as `stylize` repaints them.

    python benchmarks/gallery.py --folder docs/images
    python benchmarks/gallery.py --folder gallery --styles wave,my.pt --film mine.mp4@640x360

The frames are finished ones: painted, and steadied by the temporal pass over the frames before
them. `styles.jpg` is a real film in every style, `details.jpg` the generated clip at 1920x1080, cut
out pixel for pixel, `before-after.jpg` both films in the first style.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.style.cards import bundled_styles
from harness.arguments import words_of
from harness.steadiness import GENERATED, Film, options_with, read_film, repaint

# Those that are known best, first.
_FIRST = ("starry_night", "wave", "the_scream", "udnie", "minotaur")
_FILM = (
    Path(__file__).resolve().parents[2] / "shared" / "data" / "videos" / "bigbuckbunny.mp4"
).as_posix() + "@20:33@640x360"
_CLIP_FRAMES = 96
# So many frames of the clip are repainted before the one that is shown: the pass has settled.
_LEAD_IN = 8
_SHOWN, _DETAIL_SHOWN = 20, 52
_GAP_PX = 8
_COLUMNS = 3
_WIDTH_PX = 427
_BEFORE_AFTER_WIDTH_PX = 512
# Top left corner at 1920x1080, and size: edges, water and sky.
_DETAIL_CORNER, _DETAIL_PX = (1040, 60), (427, 240)
_JPEG_QUALITY = 86


def main() -> int:
    """Repaints what is shown and writes the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--styles", type=words_of, default=_in_order(), help="more are mixtures")
    parser.add_argument("--film", default=_FILM, help="as for quality.py; its last frame is shown")
    parser.add_argument("--threads", type=int, default=1)
    parsed = parser.parse_args()
    parsed.folder.mkdir(parents=True, exist_ok=True)

    films = [read_film(parsed.film, None), _clip((640, 360), _SHOWN)]
    real = list(_repainted(films[0], parsed.styles, parsed.threads))
    _write(parsed.folder / "styles.jpg", _in_rows([_shrunk(image, _WIDTH_PX) for image in real]))
    generated = list(_repainted(films[1], parsed.styles[:1], parsed.threads))
    columns = [
        [_shrunk(image, _BEFORE_AFTER_WIDTH_PX) for image in images[:2]]
        for images in (real, generated)
    ]
    _write(parsed.folder / "before-after.jpg", [list(row) for row in zip(*columns, strict=True)], 0)

    large = _repainted(_clip((1920, 1080), _DETAIL_SHOWN), parsed.styles, parsed.threads)
    _write(parsed.folder / "details.jpg", _in_rows([_cut_out(image) for image in large]))
    return 0


def _in_order() -> list[str]:
    """The bundled styles, and a mixture of two."""
    names = sorted(card.name for card in bundled_styles())
    return [*_FIRST, *(name for name in names if name not in _FIRST), "wave:0.5+the_scream:0.5"]


def _clip(size: tuple[int, int], last: int) -> Film:
    """The generated clip up to a frame."""
    clip = SyntheticClip(*size, _CLIP_FRAMES)
    frames = [clip.frame(number) for number in range(last - _LEAD_IN, last + 1)]
    return Film(GENERATED, frames, [(0, len(frames))], flow_between=clip.flow)


def _repainted(film: Film, styles: Sequence[str], threads: int) -> Iterator[np.ndarray]:
    """The film's last frame, then the finished one in each style, (H, W, 3) RGB."""
    yield film.frames[-1]
    for style in styles:
        yield repaint(style, film, options_with(), threads)[0][-1]


def _in_rows(images: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """In rows of a few, filled up with white."""
    full = math.ceil(len(images) / _COLUMNS) * _COLUMNS
    filled = [*images, *[np.full_like(images[0], 255)] * (full - len(images))]
    return [filled[at : at + _COLUMNS] for at in range(0, full, _COLUMNS)]


def _shrunk(image: np.ndarray, width: int) -> np.ndarray:
    height = round(image.shape[0] * width / image.shape[1])
    small: np.ndarray = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _cut_out(image: np.ndarray) -> np.ndarray:
    (left, top), (width, height) = _DETAIL_CORNER, _DETAIL_PX
    return image[top : top + height, left : left + width]


def _write(path: Path, rows: list[list[np.ndarray]], gap_px: int = _GAP_PX) -> None:
    """Writes pictures of one size side by side."""
    height, width = rows[0][0].shape[:2]
    sheet = np.full(
        (len(rows) * (height + gap_px) - gap_px, len(rows[0]) * (width + gap_px) - gap_px, 3),
        255,
        np.uint8,
    )
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            top, left = row * (height + gap_px), column * (width + gap_px)
            sheet[top : top + height, left : left + width] = image
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])


if __name__ == "__main__":
    sys.exit(main())
