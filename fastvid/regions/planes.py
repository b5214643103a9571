"""Masks ride with the frames, as planes behind red, green and blue: whoever has a frame has its
masks, whether rank 0 reads them or every rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from fastvid.regions.masks import Masks, open_masks

COLORS = 3


class FramePlanes(Protocol):
    """What goes with the frames of a run, behind their colours."""

    def attach(self, number: int, image: np.ndarray) -> np.ndarray:
        """A frame with its planes: (H, W, 3) to (H, W, 3 + planes) uint8. number: of the frame in
        the run, from 0."""

    def close(self) -> None:
        """Releases what is open."""


@dataclass(frozen=True)
class MaskPlace:
    """Where the masks of a region are read, on any rank.

    path: absolute. selector: a label, a colour, or empty. offset: the number of the mask that
    belongs to the first frame of the run. invert: everything but what it says.
    """

    path: str
    selector: str
    offset: int
    invert: bool


class Planes:
    """The masks of all regions of a run as planes of its frames. For one thread at a time.

    width, height: of the frames. Raises InputError, as calls do, where masks can't be read.
    """

    def __init__(self, places: Sequence[MaskPlace], width: int, height: int) -> None:
        self._places = places
        self._size = width, height
        self._opened: list[Masks] = []

    def attach(self, number: int, image: np.ndarray) -> np.ndarray:
        """See FramePlanes."""
        attached: np.ndarray = cv2.merge([image, *self.read(number)])
        return attached

    def read(self, number: int) -> list[np.ndarray]:
        """The masks of a frame, (H, W) uint8 each, 255 inside."""
        if not self._opened:
            self._opened = [open_masks(place.path, place.selector) for place in self._places]
        return [
            scaled(_wanted(masks.read(place.offset + number), place), *self._size)
            for masks, place in zip(self._opened, self._places, strict=True)
        ]

    def close(self) -> None:
        """See FramePlanes."""
        for masks in self._opened:
            masks.close()
        self._opened = []


def _wanted(mask: np.ndarray, place: MaskPlace) -> np.ndarray:
    return 255 - mask if place.invert else mask


def scaled(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """A mask at the size of the frames, (height, width) uint8: the mean of the pixels where it
    shrinks, bilinear where it grows."""
    if mask.shape == (height, width):
        return mask
    shrinks = mask.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: np.ndarray = cv2.resize(mask, (width, height), interpolation=how)
    return resized


def split(frame: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The image of a frame, (H, W, 3), and its masks, (H, W) each; all of them contiguous."""
    height, width, channels = frame.shape
    image = np.empty((height, width, COLORS), np.uint8)
    masks = [np.empty((height, width), np.uint8) for _ in range(COLORS, channels)]
    pairs = [number for channel in range(channels) for number in (channel, channel)]
    cv2.mixChannels([frame], [image, *masks], pairs)
    return image, masks
