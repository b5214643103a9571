"""The correction of a stretch on its rank: from its true past to the frames that were computed
without it (see `fastvid.overlap`)."""

import logging
import time

import numpy as np

from fastvid.overlap import Overlap
from fastvid.parallel.task import Task
from fastvid.stages import Motion, RecurrentStages, Stage

_log = logging.getLogger(__name__)


class Seam:
    """The first task of a stretch, which waits here for the finished frame before it.

    task: its frames are computed, without their past, from which its lead began; it has kept what
    that took. Its `boundary` is the true past, once that is there.
    """

    def __init__(self, task: Task, overlap: Overlap, stages: RecurrentStages) -> None:
        self.task = task
        self.done = False
        self._overlap = overlap
        self._stages = stages
        self._position = task.lead
        self._recomputed = 0
        # Once the past is no longer recomputed: true less computed frame, (styles, H, W, 3) float32
        # levels, moved along with the film.
        self._rest: np.ndarray | None = None

    def ready(self) -> bool:
        """Whether the true past is there."""
        return self.task.boundary is not None

    @property
    def next_frame(self) -> int:
        """The number of the frame that the next step corrects."""
        return self.task.start + self._position

    def step(self) -> None:
        """Corrects the next frame; with the last one the seam is `done`."""
        began, clock = time.time(), time.perf_counter()
        task, position = self.task, self._position
        motion = self._motion()
        computed = task.finished[position]
        if self._rest is None:
            true = self._stages.blend(self._stages.paint(task.frames[position]), self._before(),
                                      motion)
            self._recomputed += 1
            self._meet(true, computed)
        else:
            true = self._faded(computed, motion)
        task.finished[position] = true
        self._measure()
        self._position += 1
        corrected = self._position - task.lead
        if self._rest is not None and corrected == self._recomputed + self._overlap.fade:
            # The first frame that stays as it was has another one before it now.
            self._measure()
            self.done = True
        task.times[Stage.BLEND].add(began, time.perf_counter() - clock)

    def _meet(self, true: np.ndarray, computed: np.ndarray) -> None:
        """Ends recomputing if the two are alike, or if it has gone on for long enough."""
        rest = true.astype(np.float32) - computed
        gap = float(np.abs(rest).mean(dtype=np.float64))
        if gap <= self._overlap.tolerance or self._recomputed == self._overlap.recompute:
            self._rest = rest
            _log.info("seam at frame %d: %d frames recomputed, then %.2f levels apart",
                      self.task.start + self.task.lead, self._recomputed, gap)

    def _faded(self, computed: np.ndarray, motion: Motion) -> np.ndarray:
        """A computed frame with a share of the difference that has moved here, uint8 again."""
        assert self._rest is not None
        self._rest = self._stages.carry(self._rest, motion)
        number = self._position - self.task.lead - self._recomputed + 1
        share = np.float32(1 - number / (self._overlap.fade + 1))
        levels = np.rint(computed + share * self._rest)
        return np.clip(levels, 0, 255).astype(np.uint8)

    def _measure(self) -> None:
        task, position = self.task, self._position
        task.errors[position] = self._stages.temporal_error(
            task.finished[position], self._before(), self._motion())

    def _motion(self) -> Motion:
        motion = self.task.motions[self._position]
        assert motion is not None
        return motion

    def _before(self) -> np.ndarray:
        """The true frame before the one at hand."""
        if self._position > self.task.lead:
            return self.task.finished[self._position - 1]
        assert self.task.boundary is not None
        return self.task.boundary
