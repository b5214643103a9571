"""Directions, equirectangular pictures, and the caps around the poles.

Longitude grows to the right, 0 in the middle of an equirectangular picture; latitude grows upwards;
both in radians. A cap is an azimuthal equidistant picture around a pole: distances from the pole
are angles. It is seen from within, its edge towards longitude 0 faces the band: that of the north
lies below its pole, that of the south above.
"""

from dataclasses import dataclass

import cv2
import numpy as np

# Rows and columns that cubic sampling reads beyond a picture.
CUBIC_REACH = 3


@dataclass(frozen=True)
class Circle:
    """An equirectangular picture of the whole sphere, or of its front half.

    width: of the whole circle, pixels, even; rows: half of it. half: only the front half is there.
    """

    width: int
    half: bool

    @property
    def rows(self) -> int:
        """Height of the picture."""
        return self.width // 2

    @property
    def columns(self) -> int:
        """Width of the picture that is there."""
        return self.width // 2 if self.half else self.width

    @property
    def density(self) -> float:
        """Pixels per radian."""
        return self.width / (2 * np.pi)

    def latitudes(self) -> np.ndarray:
        """Of each row, (rows,) float64, from the north."""
        return np.pi / 2 - (np.arange(self.rows) + 0.5) / self.density

    def longitudes(self) -> np.ndarray:
        """Of each column that is there, (columns,) float64, in -pi..pi."""
        return (np.arange(self.columns) + 0.5 - self.columns / 2) / self.density

    def position(self, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, ...]:
        """Where a direction is in the picture, (x, y) in pixels, pixel centres at whole numbers.

        In half a circle the back is outside.
        """
        x = longitude * self.density + (self.columns - 1) / 2
        y = (np.pi / 2 - latitude) * self.density - 0.5
        return x, y


def directions(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Unit vectors (right, front, up), (rows, columns, 3), of angles that broadcast to
    (rows, columns)."""
    level = np.cos(latitude)
    up = np.broadcast_to(np.sin(latitude), np.broadcast_shapes(longitude.shape, latitude.shape))
    return np.dstack([level * np.sin(longitude), level * np.cos(longitude), up])


@dataclass(frozen=True)
class Cap:
    """Where a cap lies in the picture that a sphere is laid out in.

    north: or south. top, left, height, width: its place, pixels. pole_x, pole_y: of the pole in the
    cap. density: pixels per radian.
    """

    north: bool
    top: int
    left: int
    height: int
    width: int
    pole_x: float
    pole_y: float
    density: float

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def direction(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(longitude, latitude) of positions in the cap, in the type of `x` and `y`."""
        right, down = x - self.pole_x, y - self.pole_y
        if not self.north:
            down = -down
        latitude = np.pi / 2 - np.hypot(right, down) / self.density
        return np.arctan2(right, down), latitude if self.north else -latitude

    def position(self, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, ...]:
        """(x, y) of directions in the cap."""
        from_pole = (np.pi / 2 - (latitude if self.north else -latitude)) * self.density
        down = from_pole * np.cos(longitude)
        return (
            self.pole_x + from_pole * np.sin(longitude),
            self.pole_y + (down if self.north else -down),
        )

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) of all its pixels, float64, as arrays that broadcast to (height, width)."""
        x, y = np.arange(self.width, dtype=np.float64), np.arange(self.height, dtype=np.float64)
        return x[None, :], y[:, None]


def over_the_edges(image: np.ndarray, half: bool) -> np.ndarray:
    """An equirectangular picture continued by CUBIC_REACH pixels on all sides: around the back, and
    over the poles to the other side. What is behind half a sphere mirrors the front.

    image: (H, W, C); returns (H + 2 r, W + 2 r, C).
    """
    reach = CUBIC_REACH
    above, below = image[reach - 1 :: -1], image[: -reach - 1 : -1]
    if half:
        # Over the pole lies the back, which mirrors the front: longitude changes its sign.
        above, below, border = above[:, ::-1], below[:, ::-1], cv2.BORDER_REFLECT
    else:
        across = image.shape[1] // 2
        above, below = np.roll(above, across, axis=1), np.roll(below, across, axis=1)
        border = cv2.BORDER_WRAP
    rows = np.concatenate([above, image, below])
    continued: np.ndarray = cv2.copyMakeBorder(rows, 0, 0, reach, reach, border)
    return continued.reshape(*continued.shape[:2], image.shape[2])
