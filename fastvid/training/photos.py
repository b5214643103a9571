"""The folder of photographs: which there are, which are held out, which come in which step."""

import os
from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.errors import InputError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
# Every so many photographs one is kept from training, to judge by: 20 of 1,000.
HELD_OUT_EVERY = 50
# A painting smaller than this has no texture to learn from.
MIN_PAINTING_SIDE = 64


@dataclass(frozen=True)
class PhotoSet:
    """Paths of photographs, in the order of their names."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]

    def chosen(self, item: int, seed: int) -> tuple[str, str]:
        """The photograph of an item of the endless training order, and another for the cut-out.

        Every photograph comes once in each pass, in an order that depends on the seed and the pass
        alone: a continued run needs to know nothing but where it was.
        """
        count = len(self.training)
        order = np.random.default_rng([seed, item // count]).permutation(count)
        other = np.random.default_rng([seed, item, 1]).integers(count)
        return self.training[order[item % count]], self.training[other]


def find_photos(folder: str, size: int) -> PhotoSet:
    """The photographs in a folder (not below it), each one checked.

    Raises InputError if there are none, or if one can't be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{folder}: cannot read the folder: {error.strerror}") from error
    paths = [os.path.join(folder, name) for name in names if name.lower().endswith(EXTENSIONS)]
    if not paths:
        raise InputError(f"{folder}: no images there ({', '.join(EXTENSIONS)})")
    for path in paths:
        # An eighth of the size is enough to know that it can be decoded, and far cheaper.
        _decode(path, cv2.IMREAD_REDUCED_COLOR_8)
    held_out = tuple(paths[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]) or tuple(paths[:1])
    training = tuple(path for path in paths if path not in held_out) or held_out
    return PhotoSet(training, held_out)


def read_photo(path: str, min_side: int) -> np.ndarray:
    """A photograph (H, W, 3) uint8 BGR, enlarged if need be so that its sides are `min_side`."""
    return _with_min_side(_decode(path, cv2.IMREAD_COLOR), min_side)


def read_painting(path: str, shorter_side: int) -> np.ndarray:
    """A painting (H, W, 3) uint8 BGR, shrunk or enlarged so that its shorter side has that length.

    The size in pixels is the size of the strokes, so a small file is enlarged too. Raises
    InputError if it can't be read or is too small to learn from.
    """
    image = _decode(path, cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    if min(height, width) < MIN_PAINTING_SIDE:
        raise InputError(
            f"{path}: the painting is {width}x{height} pixels, at least "
            f"{MIN_PAINTING_SIDE}x{MIN_PAINTING_SIDE} are needed"
        )
    factor = max(shorter_side, MIN_PAINTING_SIDE) / min(height, width)
    if factor != 1:
        size = (round(width * factor), round(height * factor))
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image = cv2.resize(image, size, interpolation=interpolation)
    return image


def _with_min_side(image: np.ndarray, min_side: int) -> np.ndarray:
    height, width = image.shape[:2]
    if min(height, width) >= min_side:
        return image
    factor = min_side / min(height, width)
    size = (max(min_side, round(width * factor)), max(min_side, round(height * factor)))
    enlarged: np.ndarray = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return enlarged


def _decode(path: str, flags: int) -> np.ndarray:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot read the image: {error.strerror}") from error
    image: np.ndarray | None = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise InputError(f"{path}: not an image that can be read; remove it or replace it")
    return image
