"""Which looks a run has, and which of them shows where.

A look is a style with its strength, in colours of its own or of the film: what is painted of a
frame. Regions and grounds that look alike share one, and are one region then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastvid.regions.settings import RegionSettings
from fastvid.regions.weights import ground_weight


@dataclass(frozen=True)
class Look:
    """style_sha256: of the checkpoint. strength: 0..1. film_colors: the luminance alone is
    painted."""

    style_sha256: str
    strength: float
    film_colors: bool


@dataclass(frozen=True)
class Layout:
    """The looks of a run with regions.

    looks: all that are painted, each once. regions: the number of each region's look, None for the
    film. grounds: the same of the rest of the picture, of each output.
    """

    looks: tuple[Look, ...]
    regions: tuple[int | None, ...]
    grounds: tuple[int | None, ...]

    def shares(self, weights: Sequence[np.ndarray], output: int) -> dict[int, np.ndarray]:
        """The share of each look in an output, in 255ths, (H, W) uint8; looks that show nowhere are
        left out.

        weights: of the regions, see `region_weights`.
        """
        found: dict[int, np.ndarray] = {}
        shape = weights[0].shape
        parts = [*zip(self.regions, weights, strict=True)]
        parts.append((self.grounds[output], ground_weight(weights, (shape[0], shape[1]))))
        for look, weight in parts:
            if look is not None and weight.any():
                found[look] = found[look] + weight if look in found else weight
        return found


def lay_out(
    regions: Sequence[RegionSettings], grounds: Sequence[tuple[str, float, bool]]
) -> Layout:
    """grounds: style_sha256, strength and film_colors of each output's; an empty hash is the
    film."""
    looks: dict[Look, int] = {}

    def number(look: Look) -> int | None:
        return looks.setdefault(look, len(looks)) if look.style_sha256 else None

    of_grounds = tuple(number(Look(*ground)) for ground in grounds)
    of_regions = tuple(
        number(Look(one.style_sha256, one.strength, one.keep_colors)) for one in regions
    )
    return Layout(tuple(looks), of_regions, of_grounds)
