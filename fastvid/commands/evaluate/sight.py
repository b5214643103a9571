"""How the pixels of a video are to be judged: all alike, or as parts of a sphere."""

from dataclasses import dataclass

import numpy as np

from fastvid.decode.sphere_tags import MONO, TOP_BOTTOM
from fastvid.motion.flow import FlowEstimator
from fastvid.motion.source import EstimatedMotion
from fastvid.sphere.motion import SphereMotion
from fastvid.sphere.projection import Sphere


@dataclass(frozen=True)
class Sight:
    """sphere: what the frames show, None for flat pictures. Of two eyes, each frame is judged as
    one picture, the first eye above the second (`arranged`)."""

    sphere: Sphere | None = None

    @property
    def wraps(self) -> bool:
        """Whether the left and the right edge are one."""
        return self.sphere is not None and self.sphere.wraps

    def arranged(self, frame: np.ndarray) -> np.ndarray:
        """A frame as it is judged."""
        if self.sphere is None or self.sphere.stereo == MONO:
            return frame
        return np.concatenate(self.sphere.eyes(frame))

    def weights(self, height: int) -> np.ndarray | None:
        """How much the pixels of each row of an arranged frame count, (height, 1) float64, 1 on
        average: the cosine of their latitude. None: all alike."""
        if self.sphere is None:
            return None
        eyes = 1 if self.sphere.stereo == MONO else 2
        rows = height // eyes
        weights = np.sin((np.arange(rows) + 0.5) * (np.pi / rows))
        return np.tile(weights / weights.mean(), eyes)[:, None]

    def mean(self, values: np.ndarray, where: np.ndarray | None = None) -> float:
        """The mean of (H, W) or (H, W, C) values over pixels, `where` they count (H, W) bool."""
        weights = self.weights(len(values))
        if weights is None:
            chosen = values if where is None else values[where]
            return float(chosen.mean(dtype=np.float64))
        spread = np.broadcast_to(weights, values.shape[:2])
        plane = values if values.ndim == 2 else values.mean(axis=2, dtype=np.float64)
        if where is not None:
            plane, spread = plane[where], spread[where]
        return float(np.average(plane, weights=spread))


class SphereFlow:
    """The flow of a judge between arranged frames of spheres (see `SphereMotion`)."""

    def __init__(self, estimate: FlowEstimator, sphere: Sphere) -> None:
        layout = MONO if sphere.stereo == MONO else TOP_BOTTOM
        judge = EstimatedMotion(estimate.method, estimate.scale, False)
        self._motion = SphereMotion(Sphere(sphere.projection, layout), judge)

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """As `FlowEstimator`."""
        return self._motion(source, target, 0)[0]


def judging_flow(estimate: FlowEstimator, sphere: Sphere | None) -> FlowEstimator | SphereFlow:
    """The flow of a judge for flat frames, or for frames of a sphere as they are judged."""
    return estimate if sphere is None else SphereFlow(estimate, sphere)
