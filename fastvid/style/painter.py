"""A frame model at the size of stroke that is wanted: frames in, paintings of their size out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from fastvid.style.enlarging import BYTES_PER_PX, enlarge
from fastvid.style.model import check_frame
from fastvid.style.scale import painted_size


class Painting(Protocol):
    """Frames that are being painted."""

    def ready(self) -> bool:
        """Whether `images` would not have to wait."""

    def images(self) -> list[np.ndarray]:
        """The frames, (H, W, 3) uint8 RGB each, in the order in which they were given; waits for
        them."""


class FrameModel(Protocol):
    """What paints frames at their own size (see `fastvid.style.model.StyleModel`)."""

    def begin(self, images: Sequence[np.ndarray], batch_size: int) -> Painting:
        """Begins to paint 1 to `batch_size` frames of one size, in one go."""

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes painting allocates at its peak for a frame of that size (estimate)."""


# The size, (height, width), at which a frame of height x width is painted with a stroke.
SizeRule = Callable[[int, int, float], tuple[int, int]]
# A painting at the size of the film, from it, the film, and the film at the size of the painting.
Enlarging = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Painter:
    """Paints frames of any size with a frame model, each on its own; see `fastvid.style.scale`.

    stroke: the size of the strokes, 1 as the painting was meant. Where a frame is painted at its
    own size the result is the model's, byte for byte. size_of, enlarging: as for flat pictures by
    default.
    """

    def __init__(
        self,
        model: FrameModel,
        stroke: float,
        size_of: SizeRule = painted_size,
        enlarging: Enlarging = enlarge,
    ) -> None:
        self._model = model
        self._stroke = stroke
        self._size_of = size_of
        self._enlarging = enlarging

    def paint(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As `StyleModel.paint`: frames of (H, W, 3) uint8 RGB into new ones."""
        return [self.begin([image], 1).images()[0] for image in images]

    def begin(self, images: Sequence[np.ndarray], batch_size: int) -> "Painting":
        """As `StyleModel.begin`."""
        for image in images:
            check_frame(image)
        height, width = images[0].shape[:2]
        size = self._size_of(height, width, self._stroke)
        if size == (height, width):
            return self._model.begin(images, batch_size)
        shown = [_resized(image, size) for image in images]
        pending = self._model.begin(shown, batch_size)
        return PendingPaintings(images, shown, pending, self._enlarging)

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes `paint` allocates at its peak for a frame of that size (estimate)."""
        size = self._size_of(height, width, self._stroke)
        if size == (height, width):
            return self._model.memory_bytes(height, width)
        # Painting is over when it is enlarged, but what it freed is kept.
        return self._model.memory_bytes(*size) + BYTES_PER_PX * height * width


@dataclass(frozen=True)
class PendingPaintings:
    """Frames that a device may still be painting, not at their own size.

    frames: (H, W, 3) uint8 RGB; shown: the same at the size that is painted; pending: of these.
    """

    frames: Sequence[np.ndarray]
    shown: Sequence[np.ndarray]
    pending: Painting
    enlarging: Enlarging = enlarge

    def ready(self) -> bool:
        """Whether the device is done."""
        return self.pending.ready()

    def images(self) -> list[np.ndarray]:
        """The paintings at the size of their frames; waits for them. Raises InputError as
        `PendingFrames.images`."""
        return [
            self._at_size_of(frame, painting, shown)
            for frame, painting, shown in zip(
                self.frames, self.pending.images(), self.shown, strict=True
            )
        ]

    def _at_size_of(self, frame: np.ndarray, painting: np.ndarray, shown: np.ndarray) -> np.ndarray:
        if painting.shape[0] < frame.shape[0]:
            return self.enlarging(painting, frame, shown)
        return _resized(painting, frame.shape[:2])


def _resized(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Shrunk by area, or enlarged; size: (height, width)."""
    height, width = size
    shrinks = height < image.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: np.ndarray = cv2.resize(image, (width, height), interpolation=how)
    return resized
