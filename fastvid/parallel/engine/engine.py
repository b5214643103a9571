"""The two threads of a rank that compute, a step at a time. A step is one stage of one frame.

One thread takes the heavy stages, those of the earliest segment first, the other one the temporal
pass. All segments behind wait for that, and it is short. So it does not wait until the heavy step
at hand is over (64 ranks, one shot, steps of 0.64 s: efficiency 0.66 if it does), but takes the
core from it: a thread of a higher nice value gets what the others leave.

Which step comes next is the matter of a `Schedule`; there is one for each way of painting.
"""

import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fastvid.parallel.engine.batches import BatchSchedule
from fastvid.parallel.engine.recurrent import RecurrentSchedule, StretchSchedule
from fastvid.parallel.engine.schedule import Schedule
from fastvid.parallel.engine.task import LastFrame, LastRows, PartlyFinished, Task
from fastvid.parallel.engine.threads import (
    HEAVY_NICE,
    WAITING,
    Failed,
    SideThread,
    Step,
    StepThread,
)
from fastvid.stages.interface import BatchStages, RecurrentStages, Stages
from fastvid.stages.overlap import Overlap

# A step of a large frame takes seconds; a thread that is still at it then is left behind.
_STOP_PATIENCE_S = 2.0

Event = LastFrame | LastRows | Task | Failed


class Engine:
    """Works on the tasks it was given; what happens comes out of `events`.

    A `Task` among the events is a finished segment. `wake` is called at each event, so that the
    thread that talks to the other ranks need not look all the time. overlap: how stretches are
    joined, None if segments are not computed in stretches.
    """

    def __init__(
        self, stages: Stages[Any], wake: Callable[[], object], overlap: Overlap | None = None
    ) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._wake = wake
        self._condition = threading.Condition()
        self._schedule = self._choose_schedule(stages, overlap)
        self._stopping = False
        self._heavy = StepThread(
            partial(self._wait_for_step, self._schedule.next_heavy), self._report, HEAVY_NICE
        )
        self._temporal = StepThread(
            partial(self._wait_for_step, self._schedule.next_blend),
            self._report,
            self._schedule.blend_nice,
        )
        self._side_threads: list[SideThread[Any]] = []

    def _choose_schedule(self, stages: Stages[Any], overlap: Overlap | None) -> Schedule:
        """The schedule of these stages."""
        if isinstance(stages, RecurrentStages):
            if overlap is not None:
                return StretchSchedule(stages, overlap, self._condition, self._report)
            return RecurrentSchedule(stages, self._condition, self._report)
        if isinstance(stages, BatchStages) and stages.batch_size > 1:
            return BatchSchedule(stages, self._condition, self._report)
        return Schedule(stages, self._condition, self._report)

    @property
    def prefetch_frames(self) -> int:
        """How many heavy frames may be left when a rank that paints frames asks for more."""
        return self._schedule.prefetch_frames

    @property
    def doing(self) -> str:
        """What it is at, in words."""
        doing = self._temporal.doing if self._heavy.doing == WAITING else self._heavy.doing
        for thread in self._side_threads:
            doing = thread.doing if doing == WAITING else doing
        return doing

    def start(self) -> None:
        """Starts both threads."""
        self._heavy.start()
        self._temporal.start()

    def watch(self, thread: SideThread[Any]) -> None:
        """Counts a thread that reads or encodes as one of the engine's: it is told of in `doing`,
        may get stuck as they may, and is stopped with them."""
        self._side_threads.append(thread)

    def add(self, task: Task) -> None:
        """Takes a segment on; segments come in order."""
        with self._condition:
            self._schedule.add(task)
            self._condition.notify_all()

    def hand_boundary(self, segment: int, image: np.ndarray) -> None:
        """Delivers the finished frame before `segment`."""
        with self._condition:
            self._schedule.hand_boundary(segment, image)
            self._condition.notify_all()

    def hand_rows(self, segment: int, arriving: PartlyFinished) -> None:
        """Delivers a part of the finished frame before `segment`: so many rows are known now."""
        with self._condition:
            self._schedule.hand_rows(segment, arriving)
            self._condition.notify_all()

    def heavy_frames_left(self) -> int:
        """How many frames still need flow or paint, the one at work included."""
        with self._condition:
            return self._schedule.heavy_frames_left()

    def wants_more(self, on_the_way: int = 0) -> bool:
        """Whether the rank should ask for more work, if it may hold more. on_the_way: frames that
        are still being read."""
        with self._condition:
            return self._schedule.wants_more(on_the_way)

    def only_blends_left(self, segment: int) -> bool:
        """Whether all frames of `segment` are painted."""
        with self._condition:
            return self._schedule.only_blends_left(segment)

    def step_seconds(self) -> float:
        """How long the longest step at hand has been going on, 0 between steps."""
        threads: list[StepThread | SideThread[Any]] = [
            self._heavy,
            self._temporal,
            *self._side_threads,
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
        for side in self._side_threads:
            side.stop(max(0.0, patient_until - time.monotonic()))

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
                thread.wait(self._condition)
            return None
