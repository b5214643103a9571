"""Which frames of a film are shown: one of each shot, or some that lie far apart."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from fastvid.decode.frame import Frame

# Frames kept while reading, of the film and of its shots.
_CANDIDATES = 48


# The frame of a shot that is shown: not the first, which may still be dark or blurred.
_INTO_SHOT_FRAMES = 12


# A frame's number in the film and its image, (H, W, 3) uint8 RGB.
Picture = tuple[int, np.ndarray]


class _EvenSample:
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
    everywhere, shots = _EvenSample(_CANDIDATES), _EvenSample(_CANDIDATES)
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
    left = list(everywhere.kept)
    while len(chosen) < count:
        taken = {index for index, _ in chosen}
        left = [picture for picture in left if picture[0] not in taken]
        if not left:
            break
        chosen.append(max(left, key=lambda one: min(abs(one[0] - index) for index in taken)))
    return sorted(chosen, key=lambda picture: picture[0])


def at_size(
    marked: Iterable[tuple[Frame, bool]], size: tuple[int, int]
) -> Iterator[tuple[Frame, bool]]:
    """The film's frames at this size, (height, width)."""
    for frame, begins_shot in marked:
        yield replace(frame, image=resized(frame.image, size)), begins_shot


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image at this size, (height, width), shrunk by area as a run shrinks it, or enlarged."""
    if image.shape[:2] == size:
        return image
    how = cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_CUBIC
    changed: np.ndarray = cv2.resize(image, size[::-1], interpolation=how)
    return changed


def spread(total: int, count: int) -> list[int]:
    """The middles of `count` equal parts of `total` things, or all of them if there are fewer."""
    count = min(total, count)
    return [(2 * part + 1) * total // (2 * count) for part in range(count)]


class TimedReading:
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

    def notes(self, frame_count: int) -> list[str]:
        """What the user should know of it. frame_count: of the film."""
        if not self.cut_short:
            return []
        return [
            f"only the first {self.frames} of {frame_count} frames were looked at, which took long "
            "enough"
        ]
