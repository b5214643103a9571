"""The correction of a stretch on its rank: from its true past to the frames that were computed
without it (see `fastvid.stages.overlap`)."""

import logging
from typing import Any

import numpy as np

from fastvid.parallel.engine.task import Task
from fastvid.stages.interface import Motion, RecurrentStages, Stage
from fastvid.stages.overlap import Overlap

_log = logging.getLogger(__name__)


class Seam:
    """The first task of a stretch, which waits here for the finished frame before it.

    task: its frames are computed, from a past that began with its warm-up; it has kept what that
    took. Its `boundary` is the true past, once that is there. Each style meets its past for itself,
    so that it comes out as it would alone.
    """

    def __init__(self, task: Task, overlap: Overlap, stages: RecurrentStages[Any]) -> None:
        self.task = task
        self.done = False
        self._overlap = overlap
        self._stages = stages
        self._position = task.warm_up
        # Of each style: after how many frames its past is no longer recomputed, 0 if it still is;
        # from there on what the true frame is more than the computed one, (styles, H, W, 3) float32
        # levels, moved along with the film.
        self._met = [0] * len(task.finished[0])
        self._rest = np.zeros(task.finished[0].shape, np.float32)

    def ready(self) -> bool:
        """Whether the true past is there."""
        return self.task.boundary is not None

    @property
    def next_frame(self) -> int:
        """The number of the frame that the next step corrects."""
        return self.task.start + self._position

    def step(self) -> None:
        """Corrects the next frame; with the last one the seam is `done`."""
        with self.task.times[Stage.BLEND].measure():
            self._correct()

    def _correct(self) -> None:
        task, number = self.task, self._position - self.task.warm_up + 1
        computed = task.finished[self._position]
        true = self._faded(computed, number)
        if not all(self._met):
            motion = self._motion()
            painted = self._stages.paint(task.frames[self._position])
            again = self._stages.blend(painted, self._before(), motion)
            for style in [style for style, met in enumerate(self._met) if not met]:
                true[style] = again[style]
                self._meet(style, true[style], computed[style], number)
        task.finished[self._position] = true
        self._measure()
        self._position += 1
        if all(self._met) and number == max(self._met) + self._overlap.fade:
            # The first frame that stays as it was has another one before it now.
            self._measure()
            self.done = True

    def _meet(self, style: int, true: np.ndarray, computed: np.ndarray, number: int) -> None:
        """Ends recomputing if the two are alike, or if it has gone on for long enough."""
        rest = true.astype(np.float32) - computed
        gap = float(np.abs(rest).mean(dtype=np.float64))
        if gap <= self._overlap.tolerance or number == self._overlap.recompute:
            self._rest[style] = rest
            self._met[style] = number
            _log.info(
                "seam at frame %d: %d frames recomputed, then %.2f levels apart",
                self.task.start + self.task.warm_up,
                number,
                gap,
            )

    def _faded(self, computed: np.ndarray, number: int) -> np.ndarray:
        """The computed frame with shares of the differences that have moved here, uint8 again."""
        true = computed.copy()
        if any(self._met):
            self._rest = self._stages.carry(self._rest, self._motion())
        for style, met in enumerate(self._met):
            share = np.float32(1 - (number - met) / (self._overlap.fade + 1))
            if met and share > 0:
                levels = np.rint(computed[style] + share * self._rest[style])
                true[style] = np.clip(levels, 0, 255).astype(np.uint8)
        return true

    def _measure(self) -> None:
        task, position = self.task, self._position
        task.errors[position] = self._stages.temporal_error(
            task.finished[position], self._before(), self._motion()
        )

    def _motion(self) -> Motion[Any]:
        motion = self.task.motions[self._position]
        assert motion is not None
        return motion

    def _before(self) -> np.ndarray:
        """The true frame before the one at hand."""
        if self._position > self.task.warm_up:
            return self.task.finished[self._position - 1]
        assert self.task.boundary is not None
        return self.task.boundary
