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
    """The first tasks of a stretch, which wait here for the frame before it.

    first: the stretch's first task; its `boundary` is that frame, once it is there. Tasks are added
    when their frames were computed without it, in order; they keep what it took to compute them.
    """

    def __init__(self, first: Task, overlap: Overlap, stages: RecurrentStages) -> None:
        self.group = first.group
        self.tasks = [first]
        self.done = False
        self._overlap = overlap
        self._stages = stages
        self._corrected = 0
        self._recomputed = 0
        # Once the past is no longer recomputed: true less computed frame, (styles, H, W, 3) float32
        # levels, moved along with the film.
        self._rest: np.ndarray | None = None

    def ready(self) -> bool:
        """Whether all is there that the correction takes."""
        frames = sum(len(task.frames) - task.lead for task in self.tasks)
        return self.tasks[0].boundary is not None and frames >= self._overlap.seam_frames

    @property
    def next_frame(self) -> int:
        """The number of the frame that the next step corrects."""
        task, position = self._place(self._corrected)
        return task.start + position

    def step(self) -> None:
        """Corrects the next frame; with the last one the seam is `done`."""
        began, clock = time.time(), time.perf_counter()
        task, position = self._place(self._corrected)
        motion = task.motions[position]
        assert motion is not None
        before = self._before(self._corrected)
        computed = task.finished[position]
        if self._rest is None:
            true = self._stages.blend(self._stages.paint(task.frames[position]), before, motion)
            self._recomputed += 1
            self._meet(true, computed)
        else:
            true = self._faded(computed, motion)
        task.finished[position] = true
        task.errors[position] = self._stages.temporal_error(true, before, motion)
        self._corrected += 1
        if self._rest is not None and self._corrected == self._recomputed + self._overlap.fade:
            self._end()
        task.times[Stage.BLEND].add(began, time.perf_counter() - clock)

    def _meet(self, true: np.ndarray, computed: np.ndarray) -> None:
        """Ends recomputing if the two are alike, or if it has gone on for long enough."""
        rest = true.astype(np.float32) - computed
        gap = float(np.abs(rest).mean(dtype=np.float64))
        if gap <= self._overlap.tolerance or self._recomputed == self._overlap.recompute:
            self._rest = rest
            _log.info("seam at frame %d: %d frames recomputed, then %.2f levels apart",
                      self.tasks[0].start + self.tasks[0].lead, self._recomputed, gap)

    def _faded(self, computed: np.ndarray, motion: Motion) -> np.ndarray:
        """A computed frame with a share of the difference that has moved here, uint8 again."""
        assert self._rest is not None
        self._rest = self._stages.carry(self._rest, motion)
        number = self._corrected - self._recomputed + 1
        share = np.float32(1 - number / (self._overlap.fade + 1))
        levels = np.rint(computed + share * self._rest)
        return np.clip(levels, 0, 255).astype(np.uint8)

    def _end(self) -> None:
        """The first frame that stays as it was has another one before it now."""
        task, position = self._place(self._corrected)
        motion = task.motions[position]
        assert motion is not None
        task.errors[position] = self._stages.temporal_error(
            task.finished[position], self._before(self._corrected), motion)
        self.done = True

    def _place(self, number: int) -> tuple[Task, int]:
        """The task of the stretch's frame `number`, and its position there."""
        for task in self.tasks:
            own = len(task.frames) - task.lead
            if number < own:
                return task, number + task.lead
            number -= own
        raise IndexError(f"the seam has no frame {number} more")

    def _before(self, number: int) -> np.ndarray:
        """The finished frame before the stretch's frame `number`."""
        if number:
            task, position = self._place(number - 1)
            return task.finished[position]
        boundary = self.tasks[0].boundary
        assert boundary is not None
        return boundary
