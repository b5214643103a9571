"""Seeds: what somebody has painted on a frame to say what is inside.

Strokes: pixels that differ from the film's frame and are pure green (inside) or red (outside). Or a
rough cut-out: a black and white picture, or one with alpha. They ride with the frames as a plane,
which is zero wherever nobody has said anything.
"""

import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.decode.images import read_image
from fastvid.errors import InputError
from fastvid.regions.pictures import choose_reader
from fastvid.regions.planes import scaled

# In `PictureSettings.masking`: what makes the masks.
SEEDS = "seeds"
NOTHING, OUTSIDE, INSIDE, ROUGHLY_OUTSIDE, ROUGHLY_INSIDE = range(5)
# A stroke is this pure: of 255 the channel itself at least, the others at most.
_FULL_LEVEL, _EMPTY_LEVEL = 200, 80
# A stroke differs from what it is painted on by so much.
_DIFFERENCE = 40
# What is fewer pixels is a speck of the film that is green by itself.
_FEWEST_PX = 10
_HOW = (
    "a seed is the film's frame (mask --frame N writes it) with green on what is inside and red on "
    "what is not, or a black and white cut-out"
)


@dataclass(frozen=True)
class SeedFile:
    """A seed as it was given. frame: of the film, from 0."""

    frame: int
    path: str


def read_seed_name(text: str) -> SeedFile:
    """`N=FILE`, or a file whose name ends with the number of its frame. Raises InputError."""
    number, equals, path = text.partition("=")
    if equals and number.isdigit() and not os.path.exists(text):
        return SeedFile(int(number), path)
    digits = re.findall(r"\d+", os.path.splitext(os.path.basename(text))[0])
    if not digits:
        raise InputError(f"--seed {text}: has no number in its name; say its frame: N={text}.")
    return SeedFile(int(digits[-1]), text)


def check_seeds(seeds: Sequence[SeedFile], first: int, count: int) -> None:
    """Raises InputError for a frame that is not painted on, or twice. first, count: of the run."""
    seen: dict[int, str] = {}
    for seed in seeds:
        if not first <= seed.frame < first + count:
            raise InputError(
                f"--seed {seed.path}: frame {seed.frame} is none of {first} to {first + count - 1}."
            )
        if seed.frame in seen:
            raise InputError(
                f"--seed {seed.path} and {seen[seed.frame]} are both for frame {seed.frame}."
            )
        seen[seed.frame] = seed.path


def read_seed(path: str, frame: np.ndarray) -> np.ndarray:
    """The plane of a seed, (H, W) uint8.

    frame: the film's, (H, W, 3) uint8 RGB. Raises InputError if there is nothing in it.
    """
    if not os.path.isfile(path):
        raise InputError(f"--seed {path}: there is no such file.")
    picture = read_image(path)
    height, width = frame.shape[:2]
    if abs(picture.width * height - picture.height * width) > 0.01 * picture.width * height:
        raise InputError(
            f"--seed {path}: {picture.width}x{picture.height} has another shape than the frames of "
            f"{width}x{height}; {_HOW}."
        )
    strokes = _strokes(picture.reformat(format="rgb24").to_ndarray(), frame)
    if (strokes == INSIDE).any():
        return strokes
    try:
        mask = scaled(choose_reader(picture, "")(picture, path), width, height)
    except InputError:
        mask = np.zeros((height, width), np.uint8)
    if not mask.any():
        raise InputError(f"--seed {path}: has no green and is no cut-out; {_HOW}.")
    return np.where(mask > 127, np.uint8(ROUGHLY_INSIDE), np.uint8(ROUGHLY_OUTSIDE))


def _strokes(painted: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """The strokes of a painted frame, at the size of the film's."""
    height, width = frame.shape[:2]
    if painted.shape != frame.shape:
        painted = cv2.resize(painted, (width, height), interpolation=cv2.INTER_NEAREST)
    levels = painted.astype(np.int16)
    differs = np.abs(levels - frame).max(axis=2) > _DIFFERENCE
    plane = np.zeros((height, width), np.uint8)
    for meaning, channel in ((INSIDE, 1), (OUTSIDE, 0)):
        others = np.delete(levels, channel, axis=2).max(axis=2)
        pure = (levels[..., channel] >= _FULL_LEVEL) & (others <= _EMPTY_LEVEL) & differs
        if pure.sum() >= _FEWEST_PX:
            plane[pure] = meaning
    return plane


def packed(planes: Mapping[int, np.ndarray]) -> bytes:
    """Planes by the frame of the run, as they travel; equal planes give equal bytes."""
    stream = io.BytesIO()
    numbers = sorted(planes)
    np.save(stream, np.array(numbers, np.int64), allow_pickle=False)
    for number in numbers:
        _, encoded = cv2.imencode(".png", planes[number])
        np.save(stream, encoded.ravel(), allow_pickle=False)
    return stream.getvalue()


class SeedPlanes:
    """The seeds of a run as planes of its frames (see `fastvid.regions.planes.Planes`)."""

    def __init__(self, data: bytes) -> None:
        stream = io.BytesIO(data)
        numbers = np.load(stream, allow_pickle=False)
        self._planes = {}
        for number in numbers.tolist():
            encoded = np.load(stream, allow_pickle=False)
            self._planes[number] = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)

    def attach(self, number: int, image: np.ndarray) -> np.ndarray:
        """A frame with its seed: (H, W, 3) to (H, W, 4) uint8."""
        plane = self._planes.get(number)
        if plane is None:
            plane = np.zeros(image.shape[:2], np.uint8)
        attached: np.ndarray = cv2.merge([image, plane])
        return attached

    def close(self) -> None:
        """Nothing is open."""
