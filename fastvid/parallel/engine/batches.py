"""Painting in batches: a device of its own paints some frames while the thread of the heavy stages
goes on with motion."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from fastvid.parallel.engine.schedule import Report, Schedule
from fastvid.parallel.engine.task import Task
from fastvid.parallel.engine.threads import Step
from fastvid.stages.interface import BatchStages, PendingBatch, Stage


class BatchPainting:
    """The batch that is being painted; there is one at a time, of frames in order.

    A batch begins as soon as there is a frame to paint and none is under way: how large it is
    depends on what has arrived, its frames do not depend on that (see `BatchStages`).
    """

    def __init__(self, stages: BatchStages[Any]) -> None:
        self._stages = stages
        self._tasks: list[Task] = []  # of each frame of the batch
        self._pending: PendingBatch | None = None

    def next_step(self, tasks: Sequence[Task]) -> Step | None:
        """Collecting a batch that is ready, or beginning one; None if there is neither to do."""
        if self._pending is not None:
            return self.last_step() if self._pending.ready() else None
        batch = [task for task in tasks for _ in range(len(task.painted), len(task.frames))]
        batch = batch[: self._stages.batch_size]
        return Step(f"paint of {_names(batch)}", partial(self._begin, batch)) if batch else None

    def last_step(self) -> Step | None:
        """Waiting for the batch under way, for when there is nothing else to do; None if there is
        none."""
        if self._pending is None:
            return None
        return Step(f"paint of {_names(self._tasks)}", self._collect)

    def _begin(self, batch: list[Task]) -> None:
        began, clock = time.time(), time.perf_counter()
        frames = [task.frames[position] for task, position in _places(batch)]
        self._pending = self._stages.begin_batch(frames)
        self._tasks = batch
        self._count(began, time.perf_counter() - clock)

    def _collect(self) -> None:
        assert self._pending is not None
        began, clock = time.time(), time.perf_counter()
        images = self._pending.images()
        # Before the frames are there: with them the other thread may complete a task.
        self._count(began, time.perf_counter() - clock)
        for task, image in zip(self._tasks, images, strict=True):
            task.painted.append(image)
        self._pending, self._tasks = None, []

    def _count(self, began: float, seconds: float) -> None:
        """Shares the time that this thread has spent among the frames of the batch."""
        for task in self._tasks:
            task.times[Stage.PAINT].add(began, seconds / len(self._tasks))


class BatchSchedule(Schedule):
    """Batches are begun and collected between the heavy steps, which are those of motion then."""

    def __init__(
        self, stages: BatchStages[Any], lock: AbstractContextManager[bool], report: Report
    ) -> None:
        super().__init__(stages, lock, report)
        self.prefetch_frames = stages.batch_size
        self._painting = BatchPainting(stages)

    def next_heavy(self) -> Step | None:
        """The next step of motion or paint, None if there is none yet."""
        step = self._painting.next_step(self._tasks)
        if step is not None:
            return step
        for task in self._tasks:
            if task.needs_motion():
                return self._motion_step(task)
        return self._painting.last_step()


def _places(batch: Sequence[Task]) -> list[tuple[Task, int]]:
    """The tasks with the positions of their next unpainted frames."""
    return [
        (task, len(task.painted) + sum(other is task for other in batch[:number]))
        for number, task in enumerate(batch)
    ]


def _names(batch: Sequence[Task]) -> str:
    frames = [task.start + position for task, position in _places(batch)]
    if len(frames) == 1:
        return f"frame {frames[0]}"
    return f"frames {', '.join(map(str, frames))}"
