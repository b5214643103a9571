"""Motions of layers: 3x3 matrices on scene coordinates as functions of the time in seconds.

All are made of slow waves, so that a clip may be as long as one likes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastvid.commands.clip.layers import Motion


def translation(x: float, y: float) -> np.ndarray:
    """3x3 matrix that shifts by (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def turning(
    angle: float, x: float, y: float, scale_x: float = 1.0, scale_y: float = 1.0
) -> np.ndarray:
    """3x3 matrix that scales, then turns by an angle in radians, both about (x, y)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array(
        [[cosine * scale_x, -sine * scale_y, 0], [sine * scale_x, cosine * scale_y, 0], [0, 0, 1.0]]
    )
    moved: np.ndarray = translation(x, y) @ matrix @ translation(-x, -y)
    return moved


def wave(time_s: float, period_s: float, phase: float = 0.0) -> float:
    """A sine of that period, the phase in periods."""
    return float(np.sin(2 * np.pi * (time_s / period_s + phase)))


@dataclass(frozen=True)
class Camera:
    """A camera on a shot's scene; near layers follow its moves more than far ones.

    Each field gives, for a time in seconds: pan, the shift to the right in frame heights of what is
    at nearness 1; tilt, the same downwards; zoom, the magnification; roll, the turn in radians;
    keystone, the perspective term (how much larger the right side is drawn).
    center: the point that zoom, roll and keystone leave alone, scene coordinates.
    """

    center: tuple[float, float]
    pan: Callable[[float], float] = lambda _: 0.0
    tilt: Callable[[float], float] = lambda _: 0.0
    zoom: Callable[[float], float] = lambda _: 1.0
    roll: Callable[[float], float] = lambda _: 0.0
    keystone: Callable[[float], float] = lambda _: 0.0

    def seeing(self, nearness: float, motion: Motion | None = None) -> Motion:
        """The motion on the screen of a layer at that nearness that moves by itself as given."""

        def moved(time_s: float) -> np.ndarray:
            zoom = 1 + (self.zoom(time_s) - 1) * nearness
            view = turning(self.roll(time_s), *self.center, zoom, zoom) @ translation(
                self.pan(time_s) * nearness, self.tilt(time_s) * nearness
            )
            keystone = self.keystone(time_s)
            if keystone:
                tilted = np.eye(3)
                tilted[2, 0] = -keystone
                view = (
                    translation(*self.center)
                    @ tilted
                    @ (translation(-self.center[0], -self.center[1]) @ view)
                )
            return view if motion is None else np.asarray(view @ motion(time_s))

        return moved
