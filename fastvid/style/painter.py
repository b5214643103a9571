"""What paints frames on their own, whatever it is made of."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Painting(Protocol):
    """Frames that are being painted."""

    def ready(self) -> bool:
        """Whether `images` would not have to wait."""

    def images(self) -> list[np.ndarray]:
        """The frames, (H, W, 3) uint8 RGB each, in the order in which they were given."""


class Painter(Protocol):
    """A style model, or what stands in front of one (see `fastvid.style.model.StyleModel`)."""

    def paint(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Paints frames, (H, W, 3) uint8 RGB each, into new ones of the same form."""

    def begin(self, images: Sequence[np.ndarray], batch_size: int) -> Painting:
        """Begins to paint 1 to `batch_size` frames of one size, as `paint`, in one go."""

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes `paint` allocates at its peak for a frame of that size (estimate)."""
