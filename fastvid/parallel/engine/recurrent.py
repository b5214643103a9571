"""The schedules of recurrent models: whole shots, and stretches of them.

The temporal pass is the heavy one, and the other thread runs a little ahead of it. In stretches
(see `fastvid.stages.overlap`) their beginnings are corrected in the temporal thread after all their
frames are computed: the next stretch may wait for their last frame.
"""

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from fastvid.parallel.engine.correction import Seam
from fastvid.parallel.engine.schedule import Report, Schedule
from fastvid.parallel.engine.task import LastFrame, Task
from fastvid.parallel.engine.threads import RECURRENT_NICE, Step
from fastvid.stages.interface import Motion, RecurrentStages
from fastvid.stages.overlap import Overlap

# The motion of so many frames is kept ready: it takes three times the memory of the frames. As many
# as a rank holds with frame models.
READY_FRAMES = 16
# A rank asks for its next stretch when it has so many frames left: time enough for the first ones
# to travel and for their flow, and no rank holds a stretch while another has nothing to do.
_STRETCH_PREFETCH_FRAMES = 2


class RecurrentSchedule(Schedule):
    """Shot by shot: every frame takes the finished one before it into the network."""

    blend_nice = RECURRENT_NICE

    def __init__(
        self, stages: RecurrentStages[Any], lock: AbstractContextManager[bool], report: Report
    ) -> None:
        super().__init__(stages, lock, report)
        self._recurrent = stages

    def wants_more(self, on_the_way: int) -> bool:
        """Always: what is dealt waits here for its past."""
        return True

    def _may_run_ahead(self, task: Task) -> bool:
        ahead = sum(one.frames_ahead() for one in self._tasks)
        return ahead < READY_FRAMES or (task.past_is_known() and task.frames_ahead() == 0)

    def _paint_alone(self, frame: np.ndarray) -> np.ndarray:
        return self._recurrent.begin(frame)


class StretchSchedule(RecurrentSchedule):
    """Stretch by stretch, each from a past of its own until it is corrected.

    overlap: how stretches are joined.
    """

    def __init__(
        self,
        stages: RecurrentStages[Any],
        overlap: Overlap,
        lock: AbstractContextManager[bool],
        report: Report,
    ) -> None:
        super().__init__(stages, lock, report)
        self._overlap = overlap
        self._seams: list[Seam] = []

    def hand_boundary(self, segment: int, image: np.ndarray) -> None:
        """Delivers the finished frame before `segment`."""
        super().hand_boundary(segment, image)
        for seam in self._seams:
            if seam.task.index == segment:
                seam.task.boundary = image

    def wants_more(self, on_the_way: int) -> bool:
        """Whether the rank should ask for more work, if it may hold more."""
        left = on_the_way + sum(task.frames_left() for task in self._tasks)
        return left <= _STRETCH_PREFETCH_FRAMES

    def next_blend(self) -> Step | None:
        """The next step of the temporal pass; a correction, once the rest of its stretch is
        done."""
        for seam in self._seams:
            if seam.ready() and all(task.group > seam.task.group for task in self._tasks):
                return Step(f"correction of frame {seam.next_frame}", partial(self._correct, seam))
        return super().next_blend()

    def _temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[Any]
    ) -> float:
        return self._recurrent.temporal_error(finished, previous, motion)

    def _deliver(self, task: Task) -> None:
        if not task.warm_up:
            super()._deliver(task)
            return
        with self._lock:
            self._tasks.remove(task)
            self._seams.append(Seam(task, self._overlap, self._recurrent))
        self._report(LastFrame(task.index, task.finished[-1]))

    def _correct(self, seam: Seam) -> None:
        seam.step()
        if seam.done:
            with self._lock:
                self._seams.remove(seam)
            self._report(seam.task)
