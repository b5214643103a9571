"""The real stages of a frame: flow and masks, painting and looks, temporal pass."""

from collections.abc import Sequence

import numpy as np

from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import reliable_mask
from fastvid.settings import PictureSettings
from fastvid.stages import Motion
from fastvid.style.looks import keep_colors, mix
from fastvid.style.model import StyleModel, set_threads
from fastvid.temporal import TemporalStep, plan_step, trust_gate


class Repaint:
    """The stages of some styles with one set of settings (see `fastvid.stages.Stages`).

    keep: "flow" and "occlusion" keep what is to be stored.
    """

    def __init__(self, styles: Sequence[StyleModel], settings: PictureSettings,
                 keep: tuple[str, ...] = ()) -> None:
        self._styles = styles
        self._settings = settings
        self._keep = keep
        self._estimate = FlowEstimator(settings.flow, settings.flow_scale)
        set_threads(settings.threads)

    def motion(self, frame: np.ndarray, previous: np.ndarray) -> Motion | None:
        """Flow, mask and gate of `frame` against the frame before it.

        None where nobody needs them: frame by frame, with nothing of them to be kept.
        """
        strength = self._settings.temporal_strength
        if strength == 0 and not self._keep:
            return None
        backward = self._estimate(frame, previous)
        forward = self._estimate(previous, frame)
        reliable = reliable_mask(backward, forward, self._settings.mask_boundaries)
        step = None
        if strength > 0:
            gate = trust_gate(frame, previous, backward, reliable, strength)
            step = plan_step(backward, gate)
        return Motion(
            prepared=step,
            backward=backward if "flow" in self._keep else None,
            reliable=reliable if "occlusion" in self._keep else None,
        )

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame painted on its own in each style, with the looks that were asked for."""
        return np.stack([self._paint_in(style, frame) for style in self._styles])

    def _paint_in(self, style: StyleModel, frame: np.ndarray) -> np.ndarray:
        (painted,) = style.paint([frame])
        if self._settings.keep_colors:
            painted = keep_colors(painted, frame)
        return mix(painted, frame, self._settings.strength)

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion) -> np.ndarray:
        """The finished frame in each style, from the painted and the finished one before it."""
        if not isinstance(motion.prepared, TemporalStep):
            return painted
        step = motion.prepared
        return np.stack([step.apply(now, before) for now, before in zip(painted, previous)])
