"""The temporal filter on the frames of spherical films: each eye by itself, around the back; and
from eye to eye, so that both have the same strokes."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastvid.decode.sphere_tags import MONO
from fastvid.motion.source import MotionSource
from fastvid.motion.warp import wrapped_columns
from fastvid.regions.settings import RegionSettings
from fastvid.regions.weights import region_weights
from fastvid.sphere.projection import Sphere
from fastvid.stages.temporal import TemporalStep, plan_step, trust_gate

# Beyond this nothing of a region's edge is seen on the other side of the back.
_EDGES_PX = 64


@dataclass(frozen=True)
class EyesStep:
    """What the serial part needs to know of one pair of frames: a step for each eye."""

    sphere: Sphere
    steps: tuple[TemporalStep, ...]

    def apply(self, painted: np.ndarray, previous_output: np.ndarray) -> np.ndarray:
        """As `TemporalStep.apply`, (H, W, 3) uint8 RGB."""
        eyes = zip(
            self.steps,
            self.sphere.eyes(painted),
            self.sphere.eyes(previous_output),
            strict=True,
        )
        return self.sphere.joined([step.apply(now, before) for step, now, before in eyes])


# A painting with eyes that agree, from one whose eyes were painted each on its own.
Agreeing = Callable[[np.ndarray], np.ndarray]
# What a frame's pass takes: of one picture, or of two eyes.
FilterStep = TemporalStep | EyesStep


def rows_needed(steps: Sequence[FilterStep], first: int, stop: int) -> int | None:
    """As `TemporalStep.rows_needed`, for all of these; None if there are eyes, which lie beside
    each other, or one below the other: they take frames as a whole."""
    flat = [step for step in steps if isinstance(step, TemporalStep)]
    if len(flat) < len(steps):
        return None
    return max((step.rows_needed(first, stop) for step in flat), default=0)


def apply_rows(
    steps: Sequence[FilterStep],
    painted: np.ndarray,
    previous_output: np.ndarray,
    first: int,
    stop: int,
    finished: np.ndarray,
) -> None:
    """As `TemporalStep.apply_rows`, in each style: (styles, H, W, 3) uint8 RGB. steps: one for
    each, none where nothing is kept of the past."""
    if not steps:
        finished[:, first:stop] = painted[:, first:stop]
        return
    for step, now, before, into in zip(steps, painted, previous_output, finished, strict=True):
        assert isinstance(step, TemporalStep)  # `rows_needed` has told
        step.apply_rows(now, before, first, stop, into)


def plan_filter(
    frame: np.ndarray,
    previous_frame: np.ndarray,
    backward: np.ndarray,
    reliable: np.ndarray,
    strength: float,
    sphere: Sphere | None,
) -> FilterStep:
    """Gate and step of one pair of frames, of a flat film or a spherical one.

    Arguments as `trust_gate` has them. Flow that leads over an edge of an eye on the sphere goes on
    at the other one.
    """
    wraps = sphere is not None and sphere.wraps
    if sphere is None or sphere.stereo == MONO:
        gate = trust_gate(frame, previous_frame, backward, reliable, strength, wraps)
        return plan_step(backward, gate, wrap=wraps)
    steps = []
    for now, before, flow, trusted in zip(
        *(sphere.eyes(array) for array in (frame, previous_frame, backward, reliable)), strict=True
    ):
        trusted = np.ascontiguousarray(trusted)
        gate = trust_gate(now, before, flow, trusted, strength, wraps)
        steps.append(plan_step(flow, gate, wrap=wraps))
    return EyesStep(sphere, tuple(steps))


def weights_of_eyes(
    image: np.ndarray,
    masks: Sequence[np.ndarray],
    regions: Sequence[RegionSettings],
    sphere: Sphere | None,
) -> list[np.ndarray]:
    """As `region_weights`, of a flat picture or a spherical one: soft edges go around the back, and
    not from one eye to the other."""
    if sphere is None:
        return region_weights(image, masks, regions)
    found = []
    for picture, *shown in zip(*(sphere.eyes(plane) for plane in (image, *masks)), strict=True):
        reach = min(_EDGES_PX, picture.shape[1]) if sphere.wraps else 0
        wide, *seen = (wrapped_columns(plane, reach, reach) for plane in (picture, *shown))
        columns = slice(reach, reach + picture.shape[1])
        found.append([weight[:, columns] for weight in region_weights(wide, seen, regions)])
    return [np.ascontiguousarray(sphere.joined(list(eyes))) for eyes in zip(*found, strict=True)]


class EyeToEye:
    """Gives the second eye the strokes of the first one: the temporal filter between the eyes of
    one frame, with the first eye as what came before.

    It is a function of the frame alone, so that it belongs to painting, before the temporal pass:
    nothing in frame order waits for it. motion: between frames that are an eye each. strength: as
    the temporal filter's. kept_frames: of so many the plans are kept, for who asks for one again.
    """

    def __init__(
        self, sphere: Sphere, motion: MotionSource, strength: float, kept_frames: int = 0
    ) -> None:
        self._sphere = sphere
        self._motion = motion
        self._strength = strength
        self._latest: deque[tuple[np.ndarray, Agreeing]] = deque(maxlen=kept_frames)

    def plan(self, frame: np.ndarray) -> Agreeing:
        """What makes the eyes of a painting of this frame agree; both (H, W, 3) uint8 RGB."""
        for known, agreeing in self._latest:
            if known is frame:
                return agreeing
        agreeing = self._planned(frame)
        self._latest.append((frame, agreeing))
        return agreeing

    def _planned(self, frame: np.ndarray) -> Agreeing:
        first, second = (np.ascontiguousarray(eye) for eye in self._sphere.eyes(frame))
        backward, reliable = self._motion(second, first, 0)
        eye = replace(self._sphere, stereo=MONO)
        step = plan_filter(second, first, backward, reliable, self._strength, eye)

        def agreeing(painted: np.ndarray) -> np.ndarray:
            before, now = (np.ascontiguousarray(one) for one in self._sphere.eyes(painted))
            return self._sphere.joined([before, step.apply(now, before)])

        return agreeing
