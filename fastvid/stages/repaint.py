"""The real stages of a frame: flow and masks, painting and looks, temporal pass."""

from collections.abc import Sequence

import numpy as np

from fastvid.motion.source import MotionSource
from fastvid.sphere.painting import painter_of
from fastvid.stages.eyes import EyeToEye, FilterStep, apply_rows, plan_filter, rows_needed
from fastvid.stages.interface import Motion
from fastvid.stages.settings import PictureSettings, estimated_motion, eye_to_eye
from fastvid.style.looks import keep_colors, mix
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.painter import Painting


class Repaint:
    """The stages of some styles with one set of settings (see `fastvid.stages.interface.Stages`).

    keep: "flow" and "occlusion" keep what is to be stored. batch_size: how many frames are painted
    at a time, 1 on a CPU. source: of flow and masks; None estimates them as the settings say.
    eyes: what makes two eyes agree, where others of the same settings share it.
    """

    def __init__(
        self,
        styles: Sequence[StyleModel],
        settings: PictureSettings,
        keep: tuple[str, ...] = (),
        batch_size: int = 1,
        source: MotionSource | None = None,
        eyes: EyeToEye | None = None,
    ) -> None:
        self.batch_size = batch_size
        self._painters = [painter_of(style, settings.stroke, settings.sphere) for style in styles]
        self._settings = settings
        self._keep = keep
        self._source = source or estimated_motion(settings)
        self._eyes = eyes or eye_to_eye(settings)
        set_threads(settings.threads)

    def motion(
        self, frame: np.ndarray, previous: np.ndarray, number: int
    ) -> Motion[FilterStep | None] | None:
        """Flow, mask and gate of `frame` against the frame before it.

        None where nobody needs them: frame by frame, with nothing of them to be kept.
        """
        strength = self._settings.temporal_strength
        if strength == 0 and not self._keep:
            return None
        backward, reliable = self._source(frame, previous, number)
        step = None
        if strength > 0:
            sphere = self._settings.sphere
            step = plan_filter(frame, previous, backward, reliable, strength, sphere)
        return Motion(
            prepared=step,
            backward=backward if "flow" in self._keep else None,
            reliable=reliable if "occlusion" in self._keep else None,
        )

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame painted on its own in each style, with the looks that were asked for."""
        return self.looks([painter.paint([frame])[0] for painter in self._painters], frame)

    def begin_batch(self, frames: Sequence[np.ndarray]) -> "PaintedBatch":
        """Begins to paint frames as `paint` does."""
        pending = [painter.begin(frames, self.batch_size) for painter in self._painters]
        return PaintedBatch(self, frames, pending)

    def looks(self, paintings: Sequence[np.ndarray], frame: np.ndarray) -> np.ndarray:
        """A frame painted in each style, its eyes agreeing, with the looks that were asked for:
        (styles, H, W, 3) uint8 RGB."""
        if self._eyes is not None:
            agreeing = self._eyes.plan(frame)
            paintings = [agreeing(painted) for painted in paintings]
        return np.stack([self._look(painted, frame) for painted in paintings])

    def _look(self, painted: np.ndarray, frame: np.ndarray) -> np.ndarray:
        if self._settings.keep_colors:
            painted = keep_colors(painted, frame)
        return mix(painted, frame, self._settings.strength)

    def blend(
        self,
        painted: np.ndarray,
        previous: np.ndarray,
        motion: Motion[FilterStep | None],
    ) -> np.ndarray:
        """The finished frame in each style, from the painted and the finished one before it."""
        step = motion.prepared
        if step is None:
            return painted
        return np.stack(
            [step.apply(now, before) for now, before in zip(painted, previous, strict=True)]
        )

    def rows_needed(self, motion: Motion[FilterStep | None], first: int, stop: int) -> int | None:
        """See `fastvid.stages.interface.RowStages`."""
        return rows_needed([] if motion.prepared is None else [motion.prepared], first, stop)

    def blend_rows(
        self,
        painted: np.ndarray,
        previous: np.ndarray,
        motion: Motion[FilterStep | None],
        first: int,
        stop: int,
        finished: np.ndarray,
    ) -> None:
        """See `fastvid.stages.interface.RowStages`."""
        steps = [] if motion.prepared is None else [motion.prepared] * len(painted)
        apply_rows(steps, painted, previous, first, stop, finished)


class PaintedBatch:
    """Frames that are being painted, in each style (see `PendingBatch`)."""

    def __init__(
        self,
        stages: Repaint,
        frames: Sequence[np.ndarray],
        pending: Sequence[Painting],
    ) -> None:
        self._stages = stages
        self._frames = frames
        self._pending = pending

    def ready(self) -> bool:
        """Whether all styles are done."""
        return all(style.ready() for style in self._pending)

    def images(self) -> list[np.ndarray]:
        """The frames, (styles, H, W, 3) uint8 RGB each; waits for them."""
        in_styles = [style.images() for style in self._pending]
        return [
            self._stages.looks(paintings, frame)
            for frame, *paintings in zip(self._frames, *in_styles, strict=True)
        ]
