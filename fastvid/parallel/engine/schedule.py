"""What the two threads of a rank do next, with the segments that it holds. A step is one stage of
one frame.

This is the schedule of models that paint frame by frame, and the base of the others: in batches
(`batches`), recurrent models and their stretches (`recurrent`).
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from fastvid.parallel.engine.bands import BandedPass
from fastvid.parallel.engine.task import LastFrame, LastRows, PartlyFinished, Task
from fastvid.parallel.engine.threads import Step
from fastvid.stages.interface import (
    Motion,
    RecurrentStages,
    RowStages,
    Stage,
    Stages,
    WeighingStages,
)

Report = Callable[[LastFrame | LastRows | Task], None]


class Schedule:
    """Takes the heavy stages of the earliest segment first, frame by frame.

    lock: held by whoever calls; a step is run without it. report: takes what is finished.
    """

    # Added to the nice value of the thread that blends.
    blend_nice: ClassVar[int] = 0

    def __init__(
        self, stages: Stages[Any], lock: AbstractContextManager[bool], report: Report
    ) -> None:
        # How many heavy frames may be left when a rank asks for more: so many that the next ones
        # travel while the last ones are painted.
        self.prefetch_frames = 1
        self._stages = stages
        self._weighing = stages if isinstance(stages, WeighingStages) else None
        # A recurrent model takes frames as a whole.
        self._banded: BandedPass | None = None
        if isinstance(stages, RowStages) and not isinstance(stages, RecurrentStages):
            self._banded = BandedPass(stages)
        self._lock = lock
        self._report = report
        self._tasks: list[Task] = []

    def add(self, task: Task) -> None:
        """Takes a segment on; segments come in order."""
        self._tasks.append(task)

    def hand_boundary(self, segment: int, image: np.ndarray) -> None:
        """Delivers the finished frame before `segment`."""
        for task in self._tasks:
            if task.index == segment:
                task.boundary, task.arriving = image, None

    def hand_rows(self, segment: int, arriving: PartlyFinished) -> None:
        """Delivers a part of the finished frame before `segment`."""
        for task in self._tasks:
            if task.index == segment:
                task.arriving = arriving

    def heavy_frames_left(self) -> int:
        """How many frames still need motion or paint, the one at work included."""
        return sum(task.heavy_frames_left() for task in self._tasks)

    def only_blends_left(self, segment: int) -> bool:
        """Whether all frames of `segment` are painted."""
        return not any(task.index == segment and task.heavy_frames_left() for task in self._tasks)

    def wants_more(self, on_the_way: int) -> bool:
        """Whether the rank should ask for more work, if it may hold more. on_the_way: frames that
        are still being read."""
        return on_the_way + self.heavy_frames_left() <= self.prefetch_frames

    def next_heavy(self) -> Step | None:
        """The next step of motion or paint, None if there is none yet."""
        for task in self._tasks:
            stage = task.next_step()
            if stage is Stage.PAINT:
                return _step(stage, task, len(task.painted), self._paint)
            if stage is Stage.MOTION and self._may_run_ahead(task):
                return self._motion_step(task)
        return None

    def next_blend(self) -> Step | None:
        """The next step of the temporal pass, None if there is none yet."""
        for task in self._tasks:
            if self._banded is None:
                if task.can_blend():
                    return _step(Stage.BLEND, task, len(task.finished), self._blend)
            elif (position := self._banded.next_frame(task)) is not None:
                blends = self._blend_band if task.bands[position] else self._blend
                return _step(Stage.BLEND, task, position, blends)
        return None

    # -- what the kinds of schedules do each in their own way ----------------------------------

    def _may_run_ahead(self, task: Task) -> bool:
        """Whether the motion of another frame of this task may be computed already."""
        return True

    def _paint_alone(self, frame: np.ndarray) -> np.ndarray:
        """The finished frame of a film image that has no frame before it."""
        return self._stages.paint(frame)

    def _temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[Any]
    ) -> float:
        """Of a finished frame against the one before it; NaN if nobody wants it."""
        return math.nan

    def _deliver(self, task: Task) -> None:
        """Reports a segment whose frames are all finished."""
        with self._lock:
            self._tasks.remove(task)
        if not (task.bands and task.bands[-1]):  # else its bands were reported
            self._report(LastFrame(task.index, task.finished[-1]))
        self._report(task)

    # -- the steps -----------------------------------------------------------------------------

    def _motion_step(self, task: Task) -> Step:
        return _step(Stage.MOTION, task, len(task.motions), self._motion)

    def _motion(self, task: Task, position: int) -> None:
        previous, motion = task.frames[position - 1] if position else task.halo, None
        with task.times[Stage.MOTION].measure():
            if previous is not None:
                motion = self._stages.motion(task.frames[position], previous, task.start + position)
            weights = self._weighing.kept_weights(task.frames[position]) if self._weighing else None
            if self._banded is not None:
                bands = motion and self._banded.bands(motion, *task.frames[position].shape[:2])
                task.bands.append(bands or ())
        if weights is not None:
            task.weights.append(weights)
        task.motions.append(motion)

    def _paint(self, task: Task, position: int) -> None:
        alone = position == 0 and task.halo is None
        with task.times[Stage.PAINT].measure():
            painted = (self._paint_alone if alone else self._stages.paint)(task.frames[position])
        # After its time is counted: with the frame the other thread may complete the task.
        task.painted.append(painted)

    def _blend(self, task: Task, position: int) -> None:
        with task.times[Stage.BLEND].measure():
            self._finish_frame(task, position)
        if task.complete():
            self._deliver(task)

    def _blend_band(self, task: Task, position: int) -> None:
        assert self._banded is not None
        with task.times[Stage.BLEND].measure():
            first, frame = self._banded.step(task, position)
        height = frame.image.shape[1]
        if position == len(task.frames) - 1:
            rows = frame.image[:, first : frame.rows]
            self._report(LastRows(task.index, first, rows, height))
        if frame.rows == height:
            del task.begun[0]
            self._note_finished(task, position, frame.image, math.nan)
            if task.complete():
                self._deliver(task)

    def _finish_frame(self, task: Task, position: int) -> None:
        painted, motion = task.painted[position], task.motions[position]
        assert painted is not None
        finished, error = painted, math.nan
        if motion is not None:
            previous = task.finished[-1] if position else task.boundary
            assert previous is not None
            finished = self._stages.blend(painted, previous, motion)
            error = self._temporal_error(finished, previous, motion)
        self._note_finished(task, position, finished, error)

    def _note_finished(self, task: Task, position: int, finished: np.ndarray, error: float) -> None:
        """Notes a frame with its temporal error."""
        motion = task.motions[position]
        if motion is not None and not task.warm_up:
            # The gate and the warp are not needed again.
            task.motions[position] = replace(motion, prepared=None)
        task.errors.append(error)
        task.painted[position] = None
        task.finished.append(finished)


def _step(stage: Stage, task: Task, position: int, run: Callable[[Task, int], None]) -> Step:
    return Step(f"{stage.value} of frame {task.start + position}", partial(run, task, position))
