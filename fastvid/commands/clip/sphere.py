"""The generated film of 360 degrees: a camera that turns in a world, with exact flow."""

from fractions import Fraction

import cv2
import numpy as np

from fastvid.commands.clip.clip import FRAME_RATE
from fastvid.commands.clip.sound import compose
from fastvid.commands.clip.world import World
from fastvid.decode.sphere_tags import SphereTags
from fastvid.errors import InputError
from fastvid.sphere.caps import Circle, directions

_SMALLEST_WIDTH, _LARGEST_WIDTH = 128, 8192
# Each pixel is the mean of so many directions along each side.
_OVERSAMPLING = 2


class SphereClip:
    """A whole sphere, equirectangular, painted on the fly; equal arguments give equal bytes.

    width, height: pixels, 2:1, the width a multiple of 4. frame_count: at least 1, at 24 frames per
    second. seed: of the world. turn, tilt: degrees a frame that the camera turns to the right and
    upwards. Raises InputError for a size or a count out of range.

    cuts: none. tags: what its file says of it.
    """

    tags = SphereTags("equirect")
    cuts: tuple[int, ...] = ()

    def __init__(
        self,
        width: int = 1024,
        height: int = 512,
        frame_count: int = 96,
        seed: int = 0,
        turn: float = 1.0,
        tilt: float = 0.4,
    ) -> None:
        if width != 2 * height or width % 4:
            raise InputError(
                f"A sphere of {width}x{height} is none: it is twice as wide as high, and its width "
                "a multiple of 4."
            )
        if not _SMALLEST_WIDTH <= width <= _LARGEST_WIDTH:
            raise InputError(
                f"A sphere {width} pixels wide is outside {_SMALLEST_WIDTH}..{_LARGEST_WIDTH}."
            )
        if frame_count < 1:
            raise InputError(f"A clip of {frame_count} frames is none; give 1 or more.")
        self.width, self.height, self.frame_count = width, height, frame_count
        self.rate: Fraction = FRAME_RATE
        self._turn, self._tilt = np.radians(turn), np.radians(tilt)
        self._world = World(seed)
        self._circle = Circle(width, half=False)
        fine = Circle(_OVERSAMPLING * width, half=False)
        self._fine = _directions(fine).astype(np.float32)

    def frame(self, index: int) -> np.ndarray:
        """Frame number index, (H, W, 3) uint8 RGB."""
        seen = self._fine.reshape(-1, 3) @ self._pose(index).T.astype(np.float32)
        colors = self._world.colors(seen).reshape(*self._fine.shape)
        image = cv2.resize(colors, (self.width, self.height), interpolation=cv2.INTER_AREA)
        rounded: np.ndarray = np.rint(np.asarray(image)).astype(np.uint8)
        return rounded

    def flow(self, index: int, other: int) -> np.ndarray:
        """The flow from frame index to another frame, (H, W, 2) float32, pixels; dx is within half
        the width: it takes the shorter way around."""
        turned = _directions(self._circle) @ (self._pose(other).T @ self._pose(index)).T
        longitude = np.arctan2(turned[..., 0], turned[..., 1])
        x, y = self._circle.position(longitude, np.arcsin(turned[..., 2].clip(-1, 1)))
        x -= np.arange(self.width)
        y -= np.arange(self.height)[:, None]
        return np.dstack([x - self.width * np.rint(x / self.width), y]).astype(np.float32)

    def soundtrack(self, sample_rate_hz: int = 48000) -> np.ndarray:
        """Music as long as the clip: (samples, 2) float32 in [-1, 1]."""
        return compose(float(self.frame_count / self.rate), sample_rate_hz)

    def _pose(self, index: int) -> np.ndarray:
        """What turns directions of the camera into those of the world, (3, 3) float64."""
        if not 0 <= index < self.frame_count:
            raise IndexError(f"frame {index} is outside 0..{self.frame_count - 1}")
        pose: np.ndarray = turned(self._turn * index) @ tilted(self._tilt * index)
        return pose


def turned(angle: float) -> np.ndarray:
    """The rotation to the right by an angle in radians, (3, 3), for (right, front, up)."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])


def tilted(angle: float) -> np.ndarray:
    """The rotation upwards."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])


def _directions(circle: Circle) -> np.ndarray:
    """Of each pixel, as `directions` gives them."""
    return directions(circle.longitudes()[None, :], circle.latitudes()[:, None])
