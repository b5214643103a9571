"""The computing threads with recurrent models: what runs ahead, and the stretches' corrections."""

import queue
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.recurrent import READY_FRAMES
from fastvid.parallel.engine.task import LastFrame, Task
from fastvid.stages.interface import Motion
from fastvid.stages.overlap import Overlap

_PATIENCE_S = 30.0
OVERLAP = Overlap(segment=9, warm_up=2, recompute=2, fade=1, tolerance=0.0)


def image(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


class CountingRecurrent:
    """Frames are numbers: a shot's first gets 40 more, any other one half of the one before."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int = 0) -> Motion[int]:
        return Motion(prepared=int(frame[0, 0, 0]))

    def paint(self, frame: np.ndarray) -> np.ndarray:
        return frame

    def begin(self, frame: np.ndarray) -> np.ndarray:
        return frame[None] + 40

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[int]) -> np.ndarray:
        assert motion.prepared == painted[0, 0, 0]
        self.log.append(f"{painted[0, 0, 0]} after {previous[0, 0, 0, 0]}")
        return np.asarray(painted[None] + previous // 2)

    def carry(self, difference: np.ndarray, motion: Motion[int]) -> np.ndarray:
        return difference

    def temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[int]
    ) -> float:
        return abs(float(finished[0, 0, 0, 0]) - float(previous[0, 0, 0, 0]))


@pytest.fixture
def stages() -> CountingRecurrent:
    return CountingRecurrent()


@pytest.fixture
def engine(stages: CountingRecurrent) -> Iterator[Engine]:
    engine = Engine(stages, threading.Event().set, OVERLAP)
    yield engine
    engine.stop()


def stretch(boundary: np.ndarray | None = None) -> tuple[Task, Task]:
    """Frames 10 to 16, with 8 and 9 to warm up; their values are their numbers."""
    first = Task(
        index=3,
        start=8,
        frames=[image(n) for n in range(8, 14)],
        halo=None,
        warm_up=2,
        group=3,
        boundary=boundary,
    )
    second = Task(
        index=4, start=14, frames=[image(n) for n in range(14, 17)], halo=image(13), group=3
    )
    return first, second


def values(task: Task) -> list[int]:
    return [int(frame[0, 0, 0, 0]) for frame in task.finished[task.warm_up :]]


def next_event(engine: Engine) -> object:
    return engine.events.get(timeout=_PATIENCE_S)


# Without their past: 8 + 40 = 48, 9 + 24 = 33, then
COMPUTED = [10 + 16, 11 + 13, 12 + 12, 13 + 12, 14 + 12, 15 + 13, 16 + 14]
# After a frame of 120: two are recomputed; of what they are apart then one half is left.
CORRECTED = [10 + 60, 11 + 35, 24 + (46 - 24) // 2, 25]


def test_what_is_not_corrected_does_not_wait(engine: Engine) -> None:
    """Nor does the last frame of a stretch, which its right neighbour needs."""
    first, second = stretch()
    engine.start()
    engine.add(first)
    engine.add(second)
    last = next_event(engine)
    assert isinstance(last, LastFrame) and last.segment == 3
    engine.hand_boundary(4, last.image)
    last, done = next_event(engine), next_event(engine)
    assert isinstance(last, LastFrame) and int(last.image[0, 0, 0, 0]) == COMPUTED[-1]
    assert done is second and values(second) == COMPUTED[4:]
    with pytest.raises(queue.Empty):
        engine.events.get(timeout=0.1)
    assert values(first) == COMPUTED[:4]
    engine.hand_boundary(3, image(120)[None])
    assert next_event(engine) is first
    assert values(first) == CORRECTED
    assert first.errors[2:] == [50.0, 24.0, 11.0, 10.0]  # each against the one before it


def test_the_rest_of_a_stretch_goes_before_its_correction(
    engine: Engine, stages: CountingRecurrent
) -> None:
    """Its last frame holds up another rank, its first frames hold up nobody."""
    first, second = stretch(boundary=image(120)[None])
    engine.add(first)
    engine.add(second)
    engine.start()
    last = next_event(engine)
    assert isinstance(last, LastFrame)
    with pytest.raises(queue.Empty):
        engine.events.get(timeout=0.1)
    engine.hand_boundary(4, last.image)
    events = [next_event(engine) for _ in range(3)]
    assert events[1:] == [second, first]
    assert stages.log[-5:] == [
        "14 after 25",
        "15 after 26",
        "16 after 28",
        "10 after 120",
        "11 after 70",
    ]


def test_pasts_that_meet(stages: CountingRecurrent) -> None:
    """Recomputing ends when the mean difference is within the tolerance; the rest fades."""
    engine = Engine(
        stages, threading.Event().set, Overlap(9, 2, recompute=2, fade=1, tolerance=50.0)
    )
    engine.start()
    first, _ = stretch(boundary=image(120)[None])
    engine.add(first)
    assert isinstance(next_event(engine), LastFrame)
    assert next_event(engine) is first
    engine.stop()
    assert values(first) == [70, 24 + (70 - 26) // 2, 24, 25]


def test_flow_runs_ahead_but_not_far(stages: CountingRecurrent) -> None:
    """Frames that wait for their past do not fill the memory, nor do they hold up another shot."""
    engine = Engine(stages, threading.Event().set)
    waiting = Task(index=0, start=0, frames=[image(1)] * 40, halo=image(1))
    begins = Task(index=9, start=70, frames=[image(1)] * 30, halo=None)
    engine.add(waiting)
    engine.add(begins)
    engine.start()
    assert isinstance(next_event(engine), LastFrame) and next_event(engine) is begins
    deadline = time.monotonic() + _PATIENCE_S
    while len(waiting.motions) < READY_FRAMES:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(waiting.motions) == READY_FRAMES
    engine.hand_boundary(0, image(4)[None])
    assert isinstance(next_event(engine), LastFrame) and next_event(engine) is waiting
    engine.stop()
