"""Makes the pictures of README.md: frames of the generated film, as `stylize` repaints it.

    python benchmarks/gallery.py --folder docs/images
    python benchmarks/gallery.py --folder gallery --styles wave,my.pt

The frames are finished ones, late in their shots: painted, and steadied by the temporal pass over
the frames before them. In `details.jpg` they are cut out pixel for pixel, half of them at the
corner of the picture, from a film of 1920x1080.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from fastvid.commands.clip.clip import SyntheticClip
from harness.arguments import words_of
from harness.steadiness import GENERATED, Film, repaint

STYLES = ("starry_night", "wave", "the_scream", "udnie", "minotaur")
FRAMES = 96
# So many frames are repainted before the one that is shown: the temporal pass has settled.
_LEAD_IN = 12
_GAP_PX = 8
_SHOWN = (20, 52, 84)  # one of each shot
_WIDTH_PX = 427
_BEFORE_AFTER_WIDTH_PX = 512
_DETAIL_PX = (400, 240)
# Frame and top left corner of each detail, at 1920x1080: the border and foliage, sky and edges.
_DETAILS = ((20, (0, 0)), (52, (1040, 60)), (84, (900, 500)))
_JPEG_QUALITY = 88


def main() -> int:
    """Repaints what is shown and writes the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--styles", type=words_of, default=STYLES)
    parser.add_argument("--threads", type=int, default=1)
    parsed = parser.parse_args()
    parsed.folder.mkdir(parents=True, exist_ok=True)

    rows = _in_rows(repainted(parsed.styles, (640, 360), _SHOWN, parsed.threads))
    _write(
        parsed.folder / "styles.jpg", [[_shrunk(image, _WIDTH_PX) for image in row] for row in rows]
    )
    pairs = [
        [_shrunk(row[column], _BEFORE_AFTER_WIDTH_PX) for row in rows[:2]] for column in range(2)
    ]
    _write(parsed.folder / "before-after.jpg", pairs, gap_px=0)

    large = _in_rows(
        repainted(parsed.styles, (1920, 1080), [at for at, _ in _DETAILS], parsed.threads)
    )
    _write(
        parsed.folder / "details.jpg",
        [
            [_cut_out(image, corner) for image, (_, corner) in zip(row, _DETAILS, strict=True)]
            for row in large
        ],
    )
    return 0


def repainted(
    styles: Sequence[str], size: tuple[int, int], shown: Sequence[int], threads: int
) -> Iterator[list[np.ndarray]]:
    """For each frame shown: the film's, then the finished one in each style, (H, W, 3) RGB."""
    clip = SyntheticClip(*size, FRAMES)
    for last in shown:
        frames = [clip.frame(number) for number in range(last - _LEAD_IN, last + 1)]
        film = Film(GENERATED, frames, [(0, len(frames))], flow_between=clip.flow)
        yield [frames[-1], *(repaint(style, film, None, threads)[0][-1] for style in styles)]


def _in_rows(columns: Iterator[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """A row for the film and for each style, a column for each frame."""
    return [list(row) for row in zip(*columns, strict=True)]


def _shrunk(image: np.ndarray, width: int) -> np.ndarray:
    height = round(image.shape[0] * width / image.shape[1])
    small: np.ndarray = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _cut_out(image: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    (left, top), (width, height) = corner, _DETAIL_PX
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
