"""The temporal filter on the frames of spherical films: each eye by itself, around the back."""

from dataclasses import dataclass

import numpy as np

from fastvid.decode.sphere_tags import MONO
from fastvid.sphere.projection import Sphere
from fastvid.stages.temporal import TemporalStep, plan_step, trust_gate


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


# What a frame's pass takes: of one picture, or of two eyes.
FilterStep = TemporalStep | EyesStep


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
