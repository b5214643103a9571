"""The thread of a rank that computes, one step at a time, the most urgent step first.

A step is one stage of one frame. The temporal pass comes before everything else (it holds up every
rank behind this one), then the heavy stages of the earliest segment. So a boundary frame that
arrives never waits for longer than one stage of one frame, and a rank never uses more than its own
cores.

Where the stages paint in batches on a device of their own, a batch is begun and collected between
the steps, and this thread goes on with the other stages meanwhile.
"""

import queue
import threading
import time
import traceback
from dataclasses import dataclass
from functools import partial

import numpy as np

from fastvid.errors import EXIT_FAILURE, FastvidError
from fastvid.parallel.batches import BatchPainting, Step
from fastvid.parallel.task import Task
from fastvid.stages import BatchStages, Stage, Stages

# A step of a large frame takes seconds; a thread that is still at it then is left behind.
_STOP_PATIENCE_S = 2.0


@dataclass(frozen=True)
class LastFrame:
    """The last frame of a segment is finished: the next segment of the shot may want it."""

    segment: int
    image: np.ndarray


@dataclass(frozen=True)
class Failed:
    """A step raised: the message for the user, and the exit status that goes with it."""

    message: str
    exit_status: int


Event = LastFrame | Task | Failed
_NAME = "fastvid-engine"
_WAITING = "waiting"


def still_computing() -> bool:
    """Whether a stopped engine of this process has not come to the end of its step."""
    return any(thread.name == _NAME for thread in threading.enumerate())


class Engine(threading.Thread):
    """Works on the tasks it was given; what happens comes out of `events`.

    A `Task` among the events is a finished segment. `wake` is set at each event, so that the thread
    that talks to the other ranks need not look all the time.
    """

    def __init__(self, stages: Stages, wake: threading.Event) -> None:
        super().__init__(name=_NAME, daemon=True)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.doing = _WAITING
        self._step_began = time.monotonic()
        self._stages = stages
        self._batches: BatchPainting | None = None
        # How many heavy frames may be left when a rank asks for more: so many that the next ones
        # travel while the last ones are painted.
        self.prefetch_frames = 1
        if isinstance(stages, BatchStages) and stages.batch_size > 1:
            self._batches = BatchPainting(stages)
            self.prefetch_frames = stages.batch_size
        self._wake = wake
        self._tasks: list[Task] = []
        self._condition = threading.Condition()
        self._stopping = False

    def add(self, task: Task) -> None:
        """Takes a segment on; segments come in order."""
        with self._condition:
            self._tasks.append(task)
            self._condition.notify()

    def hand_boundary(self, segment: int, image: np.ndarray) -> None:
        """Delivers the finished frame before `segment`."""
        with self._condition:
            for task in self._tasks:
                if task.index == segment:
                    task.boundary = image
            self._condition.notify()

    def heavy_frames_left(self) -> int:
        """How many frames still need flow or paint, the one at work included."""
        with self._condition:
            return sum(task.heavy_frames_left() for task in self._tasks)

    def step_seconds(self) -> float:
        """How long the step at hand has been going on, 0 between steps."""
        return 0.0 if self.doing == _WAITING else time.monotonic() - self._step_began

    def stop(self) -> None:
        """Ends the thread after the step at hand, and waits for that, but not for ever."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self.ident is not None:
            self.join(_STOP_PATIENCE_S)

    def run(self) -> None:
        """Steps until stopped; the first exception ends the thread and comes out as `Failed`."""
        try:
            while True:
                step = self._wait_for_step()
                if step is None:
                    return
                self._step_began = time.monotonic()
                self.doing = step.doing
                step.run()
        except MemoryError:
            self._report(Failed(f"{self.doing}: out of memory. Fewer ranks a node, shorter "
                                "--segment-length or a smaller --size need less.", EXIT_FAILURE))
        except FastvidError as error:
            self._report(Failed(f"{self.doing}: {error}", error.exit_status))
        except BaseException as error:  # whatever it is (a library may call exit), the job must end
            self._report(Failed(f"{self.doing}: {type(error).__name__}: {error}\n"
                                f"{traceback.format_exc().strip()}", EXIT_FAILURE))

    def _report(self, event: Event) -> None:
        self.events.put(event)
        self._wake.set()

    def _wait_for_step(self) -> Step | None:
        with self._condition:
            while not self._stopping:
                step = self._next_step()
                if step is not None:
                    return step
                self.doing = _WAITING
                self._condition.wait()
            return None

    def _next_step(self) -> Step | None:
        for task in self._tasks:
            if task.can_blend():
                return self._step(task, Stage.BLEND, len(task.finished))
        if self._batches is None:
            for task in self._tasks:
                stage = task.next_step()
                if stage is Stage.PAINT:
                    return self._step(task, stage, len(task.painted))
                if stage is Stage.MOTION:
                    return self._step(task, stage, len(task.motions))
            return None
        step = self._batches.next_step(self._tasks)
        if step is not None:
            return step
        for task in self._tasks:
            if task.needs_motion():
                return self._step(task, Stage.MOTION, len(task.motions))
        return self._batches.last_step()

    def _step(self, task: Task, stage: Stage, position: int) -> Step:
        return Step(f"{stage.value} of frame {task.start + position}",
                    partial(self._take, task, stage, position))

    def _take(self, task: Task, stage: Stage, position: int) -> None:
        began = time.time()
        clock = time.perf_counter()
        if stage is Stage.MOTION:
            previous = task.frames[position - 1] if position else task.halo
            motion = None
            if previous is not None:
                motion = self._stages.motion(task.frames[position], previous)
            task.motions.append(motion)
        elif stage is Stage.PAINT:
            task.painted.append(self._stages.paint(task.frames[position]))
        else:
            self._blend(task, position)
        task.times[stage].add(began, time.perf_counter() - clock)
        if task.complete():
            with self._condition:
                self._tasks.remove(task)
            self._report(LastFrame(task.index, task.finished[-1]))
            self._report(task)

    def _blend(self, task: Task, position: int) -> None:
        painted, motion = task.painted[position], task.motions[position]
        assert painted is not None
        if motion is None:
            finished = painted
        else:
            previous = task.finished[-1] if position else task.boundary
            assert previous is not None
            finished = self._stages.blend(painted, previous, motion)
            motion.prepared = None  # the gate and the warp are not needed again
        task.painted[position] = None
        task.finished.append(finished)
