"""Two eyes in the generated world of 360 degrees, and how alike their strokes are."""

from collections.abc import Callable

import cv2
import numpy as np

from fastvid.commands.clip.world import World
from fastvid.motion.source import EstimatedMotion
from fastvid.motion.warp import sample, sampling_map
from fastvid.sphere.caps import Circle, directions
from fastvid.sphere.motion import SphereMotion
from fastvid.sphere.painting import painter_of
from fastvid.sphere.projection import Sphere
from fastvid.stages.eyes import EyeToEye, plan_filter
from fastvid.style.loading import load_style
from fastvid.style.scale import stroke_at_own_size

# How far the eyes see houses, and at most the ground, apart; clouds are far away.
_HOUSES_APART, _GROUND_APART = np.radians(0.9), np.radians(2.0)
_TURN = np.radians(1.0)
_EYES = (-1, 1)
_EYE, _STEREO = Sphere("equirect"), Sphere("equirect", "top-bottom")


class EyesClip:
    """A film of two eyes, the left one above; the camera turns by a degree a frame. What is behind
    the edge of a house is seen by one of them alone."""

    def __init__(self, width: int) -> None:
        self._world = World(0)
        self._circle, self._fine = Circle(width, half=False), Circle(2 * width, half=False)

    def frame(self, index: int) -> np.ndarray:
        """Frame number index, (width, width, 3) uint8 RGB."""
        return _STEREO.joined([self._eye(index, side) for side in _EYES])

    def moved(self) -> np.ndarray:
        """The flow of an eye from a frame to the one before it, (H, W, 2) float32, pixels."""
        flow = np.zeros((self._circle.rows, self._circle.columns, 2), np.float32)
        flow[..., 0] = _TURN * self._circle.density
        return flow

    def apart(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The flow from the right eye to the left one, and where both see the same, (H, W) bool,
        the edges of houses left out."""
        circle = self._circle
        left, right = (self._seen(circle, index, side)[2] for side in _EYES)
        shift = np.where(right, _HOUSES_APART, _ground_apart(circle)[:, None]) * circle.density
        columns = np.arange(circle.columns) + np.rint(shift).astype(int)
        rows = np.arange(circle.rows)[:, None]
        same = np.ones(shift.shape, bool)
        for beside in (-1, 0, 1):
            same &= left[rows, (columns + beside) % circle.columns] == right
        return np.dstack([shift, np.zeros_like(shift)]).astype(np.float32), same

    def _eye(self, index: int, side: int) -> np.ndarray:
        house, behind, built = self._seen(self._fine, index, side)
        colors = np.where(
            built[..., None],
            self._world.colors(house).reshape(*built.shape, 3),
            self._world.colors(behind, houses=False).reshape(*built.shape, 3),
        )
        size = self._circle.columns, self._circle.rows
        image = np.asarray(cv2.resize(colors, size, interpolation=cv2.INTER_AREA))
        rounded: np.ndarray = np.rint(image).astype(np.uint8)
        return rounded

    def _seen(self, circle: Circle, index: int, side: int) -> tuple[np.ndarray, ...]:
        """Directions to houses and to what is behind them, (N, 3) float32, and which is seen."""
        latitude, longitude = circle.latitudes()[:, None], circle.longitudes() + _TURN * index
        around = np.broadcast_to(longitude, (circle.rows, circle.columns))
        house, behind = (
            directions(around + side * apart / 2, latitude).astype(np.float32).reshape(-1, 3)
            for apart in (_HOUSES_APART, _ground_apart(circle)[:, None])
        )
        return house, behind, self._world.built(house).reshape(around.shape)


def _ground_apart(circle: Circle) -> np.ndarray:
    """How far the eyes see the ground apart in each row, the sky not at all; less towards the pole,
    as cameras have it."""
    below = -circle.latitudes()
    near = np.minimum(_GROUND_APART, 1.5 * _HOUSES_APART * np.tan(below.clip(0, 1.2)))
    apart: np.ndarray = near * np.sqrt(np.cos(below).clip(0))
    return apart


def eyes_apart(width: int, style: str, pairs: int, strength: float) -> dict[str, float]:
    """Strokes of the right eye against those of the left one moved on it, where both see the same,
    over the change of the left eye from frame to frame; the eyes each by itself, and agreeing."""
    clip, estimated = EyesClip(width), EstimatedMotion("dis-medium", 1.0, False)
    painter = painter_of(load_style(style), stroke_at_own_size(width // 4, width), _STEREO)
    between = EyeToEye(_STEREO, SphereMotion(_EYE, estimated), strength)
    motion = SphereMotion(_STEREO, estimated)
    frames = [clip.frame(index) for index in range(pairs + 1)]
    painted = [painter.paint([frame])[0] for frame in frames]
    found = {}
    ways: dict[str, Callable[[int], np.ndarray]] = {
        "eyes apart": lambda index: painted[index],
        "eyes agreeing": lambda index: between.plan(frames[index])(painted[index]),
    }
    for name, way in ways.items():
        finished, squares = way(0), []
        for index in range(1, pairs + 1):
            last, before, now = finished, frames[index - 1], frames[index]
            step = plan_filter(now, before, *motion(now, before, index), strength, _STEREO)
            finished = step.apply(way(index), last)
            (left, right), (past, _) = _STEREO.eyes(finished), _STEREO.eyes(last)
            flow, same = clip.apart(index)
            between_eyes = _square(right, left, flow)[same].mean()
            squares.append([between_eyes, _square(left, past, clip.moved()).mean()])
        # The first half is on its way to what stays.
        eyes, frame_to_frame = np.sqrt(np.mean(squares[pairs // 2 :], axis=0))
        found[f"{name}: right over left, levels"] = float(eyes)
        found[f"{name}: frame to frame, levels"] = float(frame_to_frame)
        found[f"{name}: over frame to frame"] = float(eyes / frame_to_frame)
    return found


def _square(image: np.ndarray, other: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Mean squares over channels of an image less another one moved along the flow, (H, W)."""
    positions = sampling_map(flow, wrap=True)
    moved = sample(np.ascontiguousarray(other, np.float32), positions, wrap=True)
    square: np.ndarray = np.square(image - moved).mean(axis=2)
    return square
