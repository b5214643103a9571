"""What a network sees beyond the border of a frame, and which part of its output is the frame.

Mirrored (the models of `fastvid train`): at least BORDER pixels on each side, the border pixel
repeated, up to a size that the network can halve without remainder.

As trained (other programs' models): the start padding of the network alone, by reflection, the
border pixel not repeated. A side that can't be halved without remainder comes out longer, since
each strided layer rounds up; the surplus is at the bottom and on the right, and is cut off.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from fastvid.style.network import Layer, downsampling, smallest_side
from fastvid.style.scale import MIN_SIDE
from fastvid.style.variant import Variant

# Beyond the border the network sees the frame mirrored, at least this many pixels on each side.
BORDER = 8


@dataclass(frozen=True)
class Margins:
    """rows, columns: pixels (before, after) the frame of height x width; mode: as np.pad takes it.

    top, left: where the frame begins in the network's output.
    """

    height: int
    width: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    mode: str
    top: int
    left: int

    @property
    def padded_pixels(self) -> int:
        """Pixels of a frame with its margins."""
        return (self.height + sum(self.rows)) * (self.width + sum(self.columns))

    def add(self, batch: np.ndarray) -> np.ndarray:
        """(N, H, W, C) with the margins around each picture."""
        margins = ((0, 0), self.rows, self.columns, (0, 0))
        # mypy: np.pad's overloads want the mode as a literal.
        padded: np.ndarray = np.pad(batch, margins, mode=self.mode)  # type: ignore[call-overload]
        return padded

    def cut(self, painted: torch.Tensor) -> torch.Tensor:
        """(N, H', W', C) of the network's output without the margins: (N, H, W, C)."""
        rows = slice(self.top, self.top + self.height)
        return painted[:, rows, self.left : self.left + self.width]


def margins_of(height: int, width: int, layers: list[Layer], variant: Variant) -> Margins:
    """The margins of frames of height x width pixels for a network."""
    if variant.borders == "mirrored":
        multiple = downsampling(layers)
        rows, columns = _mirrored(height, multiple), _mirrored(width, multiple)
        return Margins(height, width, rows, columns, "symmetric", rows[0], columns[0])
    least = smallest_side(layers)
    start = variant.start_padding
    rows = (start, start + max(0, least - height))
    columns = (start, start + max(0, least - width))
    # The residual blocks have taken the start padding away again.
    return Margins(height, width, rows, columns, "reflect", 0, 0)


def _mirrored(length: int, multiple: int) -> tuple[int, int]:
    """Pixels to mirror before and after a side, so that it becomes a multiple and large enough."""
    wanted = max(length + 2 * BORDER, MIN_SIDE)
    extra = math.ceil(wanted / multiple) * multiple - length
    # A multiple in front keeps the grid of the coarse features where it is on every size.
    before = extra // 2 // multiple * multiple
    return before, extra - before
