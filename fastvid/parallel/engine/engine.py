"""The two threads of a rank that compute, a step at a time. A step is one stage of one frame.

One thread takes the heavy stages, those of the earliest segment first, the other one the temporal
pass. All segments behind wait for that, and it is short. So it does not wait until the heavy step
at hand is over (64 ranks, one shot, steps of 0.64 s: efficiency 0.66 if it does), but takes the
core from it: a thread of a higher nice value gets what the others leave.

Where the stages paint in batches on a device of their own, a batch is begun and collected between
the heavy steps, and the thread goes on with motion meanwhile.

With recurrent models the temporal pass is the heavy one, and the other thread runs a little ahead
of it. In stretches (see `fastvid.stages.overlap`) their beginnings are corrected in the temporal
thread after all their frames are computed: the next stretch may wait for their last frame.
"""

import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastvid.parallel.engine.batches import BatchPainting
from fastvid.parallel.engine.correction import Seam
from fastvid.parallel.engine.encoding import PartEncodingThread
from fastvid.parallel.engine.reading import SegmentReadingThread
from fastvid.parallel.engine.task import Task
from fastvid.parallel.engine.threads import (
    HEAVY_NICE,
    RECURRENT_NICE,
    THREAD_NAME,
    WAITING,
    Failed,
    SideThread,
    Step,
    StepThread,
)
from fastvid.stages.interface import BatchStages, RecurrentStages, Stage, Stages, paints_alone
from fastvid.stages.overlap import Overlap

# A step of a large frame takes seconds; a thread that is still at it then is left behind.
_STOP_PATIENCE_S = 2.0
# With recurrent models the motion of so many frames is kept ready: it takes three times the memory
# of the frames. As many as a rank holds with frame models.
READY_FRAMES = 16
# A rank asks for its next stretch when it has so many frames left: time enough for the first ones
# to travel and for their flow, and no rank holds a stretch while another has nothing to do.
_STRETCH_PREFETCH_FRAMES = 2


@dataclass(frozen=True)
class LastFrame:
    """The last frame of a segment is finished: the next segment of the shot may want it."""

    segment: int
    image: np.ndarray


Event = LastFrame | Task | Failed


def still_computing() -> bool:
    """Whether a stopped engine of this process has not come to the end of its step."""
    return any(thread.name == THREAD_NAME for thread in threading.enumerate())


class Engine:
    """Works on the tasks it was given; what happens comes out of `events`.

    A `Task` among the events is a finished segment. `wake` is called at each event, so that the
    thread that talks to the other ranks need not look all the time. overlap: how stretches are
    joined, None if segments are not computed in stretches.
    """

    def __init__(
        self, stages: Stages, wake: Callable[[], None], overlap: Overlap | None = None
    ) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._stages = stages
        self._paint_alone = paints_alone(stages)
        self._batches: BatchPainting | None = None
        # How many heavy frames may be left when a rank asks for more: so many that the next ones
        # travel while the last ones are painted.
        self.prefetch_frames = 1
        if isinstance(stages, BatchStages) and stages.batch_size > 1:
            self._batches = BatchPainting(stages)
            self.prefetch_frames = stages.batch_size
        # The thread that decodes, where a rank does so itself; stopped and watched with the others.
        self.reading: SegmentReadingThread | None = None
        # That which encodes for rank 0, once there is nothing left to compute.
        self.encoding: PartEncodingThread | None = None
        self._recurrent = stages if isinstance(stages, RecurrentStages) else None
        self._overlap = overlap
        self._seams: list[Seam] = []
        self._wake = wake
        self._tasks: list[Task] = []
        self._condition = threading.Condition()
        self._stopping = False
        self._heavy = StepThread(
            partial(self._wait_for_step, self._next_heavy), self._report, HEAVY_NICE
        )
        self._temporal = StepThread(
            partial(self._wait_for_step, self._next_blend),
            self._report,
            0 if self._recurrent is None else RECURRENT_NICE,
        )

    @property
    def doing(self) -> str:
        """What it is at, in words."""
        doing = self._temporal.doing if self._heavy.doing == WAITING else self._heavy.doing
        for thread in self._side_threads():
            doing = thread.doing if doing == WAITING else doing
        return doing

    def start(self) -> None:
        """Starts both threads."""
        self._heavy.start()
        self._temporal.start()

    def add(self, task: Task) -> None:
        """Takes a segment on; segments come in order."""
        with self._condition:
            self._tasks.append(task)
            self._condition.notify_all()

    def hand_boundary(self, segment: int, image: np.ndarray) -> None:
        """Delivers the finished frame before `segment`."""
        with self._condition:
            for task in (*self._tasks, *(seam.task for seam in self._seams)):
                if task.index == segment:
                    task.boundary = image
            self._condition.notify_all()

    def heavy_frames_left(self) -> int:
        """How many frames still need flow or paint, the one at work included."""
        with self._condition:
            return sum(task.heavy_frames_left() for task in self._tasks)

    def wants_more(self, on_the_way: int = 0) -> bool:
        """Whether the rank should ask for more work, if it may hold more. on_the_way: frames that
        are still being read."""
        if self._recurrent is None:
            return on_the_way + self.heavy_frames_left() <= self.prefetch_frames
        if self._overlap is None:
            return True
        with self._condition:
            left = on_the_way + sum(task.frames_left() for task in self._tasks)
        return left <= _STRETCH_PREFETCH_FRAMES

    def only_blends_left(self, segment: int) -> bool:
        """Whether all frames of `segment` are painted."""
        with self._condition:
            return not any(
                task.index == segment and task.heavy_frames_left() for task in self._tasks
            )

    def step_seconds(self) -> float:
        """How long the longest step at hand has been going on, 0 between steps."""
        threads: list[StepThread | SideThread[Any]] = [
            self._heavy,
            self._temporal,
            *self._side_threads(),
        ]
        return max(thread.step_seconds() for thread in threads)

    def stop(self) -> None:
        """Ends the threads after the steps at hand, and waits for that, but not for ever."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        patient_until = time.monotonic() + _STOP_PATIENCE_S
        for thread in (self._temporal, self._heavy):
            if thread.ident is not None:
                thread.join(max(0.0, patient_until - time.monotonic()))
        for side in self._side_threads():
            side.stop(max(0.0, patient_until - time.monotonic()))

    def _side_threads(self) -> list[SideThread[Any]]:
        return [other.thread for other in (self.reading, self.encoding) if other is not None]

    def _report(self, event: Event) -> None:
        self.events.put(event)
        self._wake()

    def _wait_for_step(
        self, next_step: Callable[[], Step | None], thread: StepThread
    ) -> Step | None:
        with self._condition:
            self._condition.notify_all()  # the step behind may have made work for the other thread
            while not self._stopping:
                step = next_step()
                if step is not None:
                    return step
                thread.doing = WAITING
                self._condition.wait()
            return None

    def _next_blend(self) -> Step | None:
        for seam in self._seams:
            if seam.ready() and all(task.group > seam.task.group for task in self._tasks):
                return Step(f"correction of frame {seam.next_frame}", partial(self._correct, seam))
        for task in self._tasks:
            if task.can_blend():
                return self._step(task, Stage.BLEND, len(task.finished))
        return None

    def _next_heavy(self) -> Step | None:
        if self._batches is None:
            for task in self._tasks:
                stage = task.next_step()
                if stage is Stage.PAINT:
                    return self._step(task, stage, len(task.painted))
                if stage is Stage.MOTION and self._may_run_ahead(task):
                    return self._step(task, stage, len(task.motions))
            return None
        step = self._batches.next_step(self._tasks)
        if step is not None:
            return step
        for task in self._tasks:
            if task.needs_motion():
                return self._step(task, Stage.MOTION, len(task.motions))
        return self._batches.last_step()

    def _may_run_ahead(self, task: Task) -> bool:
        """Whether the motion of another frame of this task may be computed already."""
        if self._recurrent is None:
            return True
        ahead = sum(one.frames_ahead() for one in self._tasks)
        return ahead < READY_FRAMES or (task.past_is_known() and task.frames_ahead() == 0)

    def _step(self, task: Task, stage: Stage, position: int) -> Step:
        return Step(
            f"{stage.value} of frame {task.start + position}",
            partial(self._take, task, stage, position),
        )

    def _take(self, task: Task, stage: Stage, position: int) -> None:
        began = time.time()
        clock = time.perf_counter()
        if stage is Stage.MOTION:
            previous = task.frames[position - 1] if position else task.halo
            motion = None
            if previous is not None:
                motion = self._stages.motion(task.frames[position], previous, task.start + position)
            task.times[stage].add(began, time.perf_counter() - clock)
            task.motions.append(motion)
        elif stage is Stage.PAINT:
            alone = position == 0 and task.halo is None
            paint = self._paint_alone if alone else self._stages.paint
            painted = paint(task.frames[position])
            # Before the frame is there: with it the other thread may complete the task.
            task.times[stage].add(began, time.perf_counter() - clock)
            task.painted.append(painted)
        else:
            self._blend(task, position)
            task.times[stage].add(began, time.perf_counter() - clock)
            if task.complete():
                self._deliver(task)

    def _deliver(self, task: Task) -> None:
        with self._condition:
            self._tasks.remove(task)
            if task.warm_up:
                assert self._overlap is not None and self._recurrent is not None
                self._seams.append(Seam(task, self._overlap, self._recurrent))
        self._report(LastFrame(task.index, task.finished[-1]))
        if not task.warm_up:
            self._report(task)

    def _correct(self, seam: Seam) -> None:
        seam.step()
        if seam.done:
            with self._condition:
                self._seams.remove(seam)
            self._report(seam.task)

    def _blend(self, task: Task, position: int) -> None:
        painted, motion = task.painted[position], task.motions[position]
        assert painted is not None
        finished, error = painted, math.nan
        if motion is not None:
            previous = task.finished[-1] if position else task.boundary
            assert previous is not None
            finished = self._stages.blend(painted, previous, motion)
            if self._overlap is not None and self._recurrent is not None:
                error = self._recurrent.temporal_error(finished, previous, motion)
            if not task.warm_up:
                motion.prepared = None  # the gate and the warp are not needed again
        task.errors.append(error)
        task.painted[position] = None
        task.finished.append(finished)
