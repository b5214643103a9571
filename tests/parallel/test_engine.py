"""The computing thread: the temporal pass first, every step's failure told."""

import queue
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from fastvid.errors import InputError
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.task import LastFrame, Task
from fastvid.parallel.engine.threads import Failed
from fastvid.stages.interface import Motion, Stage
from fastvid.system.ending import still_busy

_PATIENCE_S = 30.0


def image(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


class CountingStages:
    """Frames are numbers: painting adds 100, blending adds the frame before. `gate` holds up
    painting until it is opened; `log` says what was done in which order."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.log: list[str] = []
        self.gate = threading.Semaphore(0)
        self.painting = threading.Semaphore(0)
        self._error = error

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[None] | None:
        self.log.append(f"motion {frame[0, 0, 0]} {previous[0, 0, 0]}")
        return Motion(prepared=None)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        self.painting.release()
        self.gate.acquire()
        if self._error is not None:
            raise self._error
        self.log.append(f"paint {frame[0, 0, 0]}")
        return frame + 100

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[None]) -> np.ndarray:
        self.log.append(f"blend {painted[0, 0, 0]} {previous[0, 0, 0]}")
        return np.asarray(painted + previous // 10)


@pytest.fixture
def stages() -> CountingStages:
    return CountingStages()


@pytest.fixture
def engine(stages: CountingStages) -> Iterator[Engine]:
    engine = Engine(stages, threading.Event().set)
    engine.start()
    yield engine
    stages.gate.release(1000)
    engine.stop()


def open_gate(stages: CountingStages, frames: int = 1) -> None:
    """Lets so many frames be painted; returns when the next one is about to be."""
    for _ in range(frames):
        assert stages.painting.acquire(timeout=_PATIENCE_S)
        stages.gate.release()


def test_a_segment_that_begins_a_shot(engine: Engine, stages: CountingStages) -> None:
    """Its first frame is as painted, the others lean on the finished frame before them."""
    stages.gate.release(10)
    engine.add(Task(index=4, start=20, frames=[image(1), image(2), image(3)], halo=None))
    last = engine.events.get(timeout=_PATIENCE_S)
    task = engine.events.get(timeout=_PATIENCE_S)
    assert isinstance(last, LastFrame) and isinstance(task, Task)
    values = [int(frame[0, 0, 0]) for frame in task.finished]
    assert values == [101, 102 + 10, 103 + 11]
    assert last.segment == 4 and int(last.image[0, 0, 0]) == values[-1]
    assert [entry for entry in stages.log if entry.startswith("motion")] == [
        "motion 2 1",
        "motion 3 2",
    ]
    assert all(task.times[stage].start > 0 for stage in Stage)


def test_a_segment_waits_for_its_boundary_frame(engine: Engine, stages: CountingStages) -> None:
    """All heavy work is done before; only the temporal pass waits."""
    stages.gate.release(10)
    engine.add(Task(index=1, start=2, frames=[image(3), image(4)], halo=image(2)))
    deadline = time.monotonic() + _PATIENCE_S
    while engine.heavy_frames_left():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    with pytest.raises(queue.Empty):
        engine.events.get(timeout=0.1)
    assert stages.log == ["motion 3 2", "paint 3", "motion 4 3", "paint 4"]
    engine.hand_boundary(1, image(50))
    engine.events.get(timeout=_PATIENCE_S)
    task = engine.events.get(timeout=_PATIENCE_S)
    assert isinstance(task, Task)
    assert [int(frame[0, 0, 0]) for frame in task.finished] == [103 + 5, 104 + 10]


def test_the_temporal_pass_comes_first(engine: Engine, stages: CountingStages) -> None:
    """A boundary frame that arrives does not wait for the heavy step at hand."""
    engine.add(Task(index=0, start=0, frames=[image(1), image(2)], halo=image(9)))
    open_gate(stages, 2)
    engine.add(Task(index=7, start=50, frames=[image(n) for n in (31, 32, 33)], halo=None))
    assert stages.painting.acquire(timeout=_PATIENCE_S)  # frame 31 is being painted
    engine.hand_boundary(0, image(10))
    last, task = (engine.events.get(timeout=_PATIENCE_S) for _ in range(2))
    assert isinstance(last, LastFrame) and isinstance(task, Task) and task.index == 0
    assert stages.log[-2:] == ["blend 101 10", "blend 102 102"]


def test_how_much_is_left(engine: Engine, stages: CountingStages) -> None:
    engine.add(Task(index=0, start=0, frames=[image(1), image(2)], halo=None))
    assert stages.painting.acquire(timeout=_PATIENCE_S)
    assert engine.heavy_frames_left() == 2
    assert engine.doing == "paint of frame 0"
    stages.gate.release()
    assert stages.painting.acquire(timeout=_PATIENCE_S)
    assert engine.heavy_frames_left() == 1
    assert engine.doing == "paint of frame 1"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ValueError("no weather"), 1, "ValueError: no weather"),
        (MemoryError(), 1, "out of memory"),
        (InputError("no such style"), 2, "no such style"),
        (SystemExit(3), 1, "SystemExit: 3"),
        (KeyboardInterrupt(), 1, "KeyboardInterrupt"),
    ],
)
def test_a_failure_names_stage_and_frame(error: BaseException, status: int, words: str) -> None:
    stages = CountingStages(error)
    wake = threading.Event()
    engine = Engine(stages, wake.set)
    engine.start()
    stages.gate.release(10)
    engine.add(Task(index=0, start=41, frames=[image(1), image(2)], halo=None))
    event = engine.events.get(timeout=_PATIENCE_S)
    assert isinstance(event, Failed)
    assert event.message.startswith("paint of frame 41: ") and words in event.message
    assert event.exit_status == status
    assert wake.wait(_PATIENCE_S)
    engine.stop()
    assert not still_busy()
