"""A frame model at the size of stroke that is wanted: frames in, paintings of their size out."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.style.enlarging import BYTES_PER_PX, enlarge
from fastvid.style.model import PendingFrames, StyleModel, check_frame
from fastvid.style.scale import painted_size


class Painter:
    """Paints frames of any size with a frame model, each on its own; see `fastvid.style.scale`.

    stroke: the size of the strokes, 1 as the painting was meant. Where a frame is painted at its
    own size the result is the model's, byte for byte.
    """

    def __init__(self, model: StyleModel, stroke: float) -> None:
        self._model = model
        self._stroke = stroke

    def paint(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As `StyleModel.paint`: frames of (H, W, 3) uint8 RGB into new ones."""
        return [self.begin([image], 1).images()[0] for image in images]

    def begin(
        self, images: Sequence[np.ndarray], batch_size: int
    ) -> "PendingFrames | PendingPaintings":
        """As `StyleModel.begin`."""
        for image in images:
            check_frame(image)
        height, width = images[0].shape[:2]
        size = painted_size(height, width, self._stroke)
        if size == (height, width):
            return self._model.begin(images, batch_size)
        shown = [_resized(image, size) for image in images]
        return PendingPaintings(images, shown, self._model.begin(shown, batch_size))

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes `paint` allocates at its peak for a frame of that size (estimate)."""
        size = painted_size(height, width, self._stroke)
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
    pending: PendingFrames

    def ready(self) -> bool:
        """Whether the device is done."""
        return self.pending.ready()

    def images(self) -> list[np.ndarray]:
        """The paintings at the size of their frames; waits for them. Raises InputError as
        `PendingFrames.images`."""
        return [
            _at_size_of(frame, painting, shown)
            for frame, painting, shown in zip(
                self.frames, self.pending.images(), self.shown, strict=True
            )
        ]


def _at_size_of(frame: np.ndarray, painting: np.ndarray, shown: np.ndarray) -> np.ndarray:
    if painting.shape[0] < frame.shape[0]:
        return enlarge(painting, frame, shown)
    return _resized(painting, frame.shape[:2])


def _resized(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Shrunk by area, or enlarged; size: (height, width)."""
    height, width = size
    shrinks = height < image.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: np.ndarray = cv2.resize(image, (width, height), interpolation=how)
    return resized
