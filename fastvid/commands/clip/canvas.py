"""A canvas to paint layers on: procedural textures and shapes, all in scene coordinates."""

import copy
from collections.abc import Sequence

import cv2
import numpy as np

from fastvid.commands.clip.layers import Layer, Motion

# How far layers reach beyond the frame, in frame heights, so that no camera move bares an edge.
MARGIN = 0.35
Color = tuple[float, float, float]

# Subpixel bits of the corners of polygons.
_POLYGON_BITS = 5


def noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    cells: float,
    octaves: int = 5,
    stretch: float = 1.0,
) -> np.ndarray:
    """Fractal value noise: (h, w) float32, mean about 0.5, mostly within 0..1.

    cells: cells of the coarsest octave along the height; each further octave has twice as many and
    half the weight. stretch: how many times longer than high the cells are.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    weight = 1.0
    weights = 0.0
    for octave in range(octaves):
        count = cells * 2**octave
        rows = max(2, round(count)) + 2
        columns = max(2, round(count * width / height / stretch)) + 2
        if rows > 2 * height or columns > 2 * width:
            break
        grid = rng.random((rows, columns), dtype=np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weights += weight
        weight /= 2
    # Averaging flattens: stretched again, so that 0..1 is used whatever the number of octaves.
    spread = np.float32(max(2.0 * float(total.std()) / max(weights, 1.0), 1e-3))
    scaled: np.ndarray = (total / np.float32(max(weights, 1.0)) - np.float32(0.5)) / (2 * spread)
    return scaled + np.float32(0.5)


def curve(
    x: np.ndarray, rng: np.random.Generator, wavelength: float, octaves: int = 5
) -> np.ndarray:
    """A rugged line over x, about -1..1, as a sum of waves of random phases."""
    total = np.zeros_like(x, np.float32)
    for octave in range(octaves):
        for detune in (1.0, 1.37):
            frequency = 2 * np.pi * 2**octave * detune / wavelength
            total += np.sin(x * frequency + rng.uniform(0, 2 * np.pi)) * 0.5 / 2**octave
    return total


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, smooth between; low may be the larger one."""
    t = np.clip((value - low) / (high - low), 0, 1)
    smooth: np.ndarray = (t * t * (3 - 2 * t)).astype(np.float32)
    return smooth


def ramp(value: np.ndarray, stops: Sequence[tuple[float, Color]]) -> np.ndarray:
    """Colours along a scale: (h, w) values to (h, w, 3) float32 RGB through the given stops."""
    positions = [position for position, _ in stops]
    channels = [
        np.interp(value, positions, [color[channel] for _, color in stops]) for channel in range(3)
    ]
    return np.stack(channels, axis=-1).astype(np.float32)


class Canvas:
    """A rectangle of the scene to paint on; colours are RGB 0..255, masks 0..1.

    x, y: (h, w) float32, the scene coordinates of the pixel centres, measured from `origin`.
    """

    def __init__(
        self, left: float, top: float, right: float, bottom: float, pixels_per_unit: float
    ) -> None:
        self.pixels_per_unit = pixels_per_unit
        self.shape = (
            max(2, int(np.ceil((bottom - top) * pixels_per_unit))),
            max(2, int(np.ceil((right - left) * pixels_per_unit))),
        )
        self._left, self._top = left, top
        columns = (np.arange(self.shape[1], dtype=np.float32) + 0.5) / pixels_per_unit + left
        rows = (np.arange(self.shape[0], dtype=np.float32) + 0.5) / pixels_per_unit + top
        self.x, self.y = (grid.astype(np.float32) for grid in np.meshgrid(columns, rows))
        self._rgb = np.zeros((*self.shape, 3), np.float32)
        self._alpha = np.zeros(self.shape, np.float32)

    def near(self, x: float, y: float, reach: float) -> "Canvas":
        """The part of the canvas within `reach` of a point, sharing its pixels: quick to paint on.

        The part is never empty; a point outside the canvas gives a strip of its rim.
        """
        part = copy.copy(self)
        rows = self._slice(y - self._top, reach, self.shape[0])
        columns = self._slice(x - self._left, reach, self.shape[1])
        part._left = self._left + columns.start / self.pixels_per_unit
        part._top = self._top + rows.start / self.pixels_per_unit
        part.shape = (rows.stop - rows.start, columns.stop - columns.start)
        part.x, part.y = self.x[rows, columns], self.y[rows, columns]
        part._rgb, part._alpha = self._rgb[rows, columns], self._alpha[rows, columns]
        return part

    def _slice(self, middle: float, reach: float, count: int) -> slice:
        start = int(np.clip((middle - reach) * self.pixels_per_unit - 1, 0, count - 1))
        stop = int(np.clip((middle + reach) * self.pixels_per_unit + 2, start + 1, count))
        return slice(start, stop)

    def below(self, line: np.ndarray) -> np.ndarray:
        """The anti-aliased mask of what lies below y = line."""
        mask: np.ndarray = np.clip((self.y - line) * self.pixels_per_unit + 0.5, 0, 1)
        return mask

    def inside(self, distance: np.ndarray) -> np.ndarray:
        """The anti-aliased mask of where a signed distance in scene units is negative."""
        mask: np.ndarray = np.clip(0.5 - distance * self.pixels_per_unit, 0, 1)
        return mask

    def disc(self, x: float, y: float, radius: float, squash: float = 1.0) -> np.ndarray:
        """The mask of an ellipse, `squash` times as high as wide."""
        return self.inside((self.distance(x, y, squash) - radius) * min(1.0, squash))

    def distance(self, x: float, y: float, squash: float = 1.0) -> np.ndarray:
        """The distance of every pixel from a point, vertical distances divided by squash."""
        distance: np.ndarray = np.hypot(self.x - x, (self.y - y) / squash)
        return distance

    def polygon(self, points: Sequence[tuple[float, float]] | np.ndarray) -> np.ndarray:
        """The anti-aliased mask of a polygon."""
        corners = (np.asarray(points, np.float64) - [self._left, self._top]) * self.pixels_per_unit
        fixed = np.rint((corners - 0.5) * 2**_POLYGON_BITS).astype(np.int32)
        mask = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _POLYGON_BITS)
        return mask.astype(np.float32) / 255

    def noise(
        self, rng: np.random.Generator, cell: float, octaves: int = 5, stretch: float = 1.0
    ) -> np.ndarray:
        """Fractal noise with cells of that height in scene units."""
        cells = self.shape[0] / self.pixels_per_unit / cell
        return noise(self.shape, rng, cells, octaves, stretch)

    def relief(self, rng: np.random.Generator, cell: float, octaves: int = 5) -> np.ndarray:
        """Noise lit from the upper left: about -1..1, for rocks, foliage and hills."""
        height = self.noise(rng, cell, octaves)
        slope = -cv2.Sobel(height, cv2.CV_32F, 1, 0) - 0.7 * cv2.Sobel(height, cv2.CV_32F, 0, 1)
        lit: np.ndarray = np.tanh(slope * np.float32(0.8 / max(float(slope.std()), 1e-3)))
        return lit

    def paint(self, color: Color | np.ndarray, mask: np.ndarray | float = 1.0) -> None:
        """Paints a colour, or an (h, w, 3) picture, over what is there, through the mask."""
        cover = np.broadcast_to(np.asarray(mask, np.float32), self.shape)[..., None]
        self._rgb *= 1 - cover
        self._rgb += cover * np.asarray(color, np.float32)
        self._alpha += (1 - self._alpha) * cover[..., 0]

    def light(self, color: Color, amount: np.ndarray) -> None:
        """Adds light to what is painted, leaving its shape."""
        self._rgb += (amount * self._alpha)[..., None] * np.asarray(color, np.float32)

    def finish(self, motion: Motion) -> Layer:
        """The layer that was painted."""
        rgb = np.minimum(np.clip(self._rgb, 0, 255), 255 * self._alpha[..., None])
        texture = np.dstack([rgb, 255 * np.clip(self._alpha, 0, 1)])
        unit = 1 / self.pixels_per_unit
        placement = np.array(
            [[unit, 0, self._left + 0.5 * unit], [0, unit, self._top + 0.5 * unit], [0, 0, 1.0]]
        )
        return Layer(np.rint(texture).astype(np.uint8), placement, motion)
