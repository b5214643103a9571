"""What comes next for the two threads of a rank, without threads: steps are taken by hand."""

from collections.abc import Callable, Sequence
from threading import Condition

import numpy as np

from fastvid.parallel.engine.batches import BatchSchedule
from fastvid.parallel.engine.recurrent import RecurrentSchedule, StretchSchedule
from fastvid.parallel.engine.schedule import Schedule
from fastvid.parallel.engine.task import LastFrame, Task
from fastvid.parallel.engine.threads import Step
from fastvid.stages.interface import Motion
from fastvid.stages.overlap import Overlap

OVERLAP = Overlap(segment=9, warm_up=2, recompute=1, fade=1, tolerance=0.0)


def image(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


class AllStages:
    """Stages of every kind; a batch is never ready by itself."""

    batch_size = 2

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[int]:
        return Motion(number)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        return frame[None]

    def begin_batch(self, frames: Sequence[np.ndarray]) -> "Batch":
        return Batch(frames)

    def begin(self, frame: np.ndarray) -> np.ndarray:
        return frame[None]

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[int]) -> np.ndarray:
        return previous

    def carry(self, difference: np.ndarray, motion: Motion[int]) -> np.ndarray:
        return difference

    def temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[int]
    ) -> float:
        return 1.0


class Batch:
    """Frames that are painted once somebody waits for them."""

    def __init__(self, frames: Sequence[np.ndarray]) -> None:
        self._frames = frames

    def ready(self) -> bool:
        return False

    def images(self) -> list[np.ndarray]:
        return [frame[None] for frame in self._frames]


def steps(next_step: Callable[[], Step | None]) -> list[str]:
    """Takes the steps that can be taken; what they are called."""
    taken = []
    while (step := next_step()) is not None:
        step.run()
        taken.append(step.doing)
    return taken


def task(index: int, start: int, count: int, halo: bool, warm_up: int = 0) -> Task:
    frames = [image(start + number) for number in range(count)]
    before = image(start - 1) if halo else None
    return Task(index, start, frames, before, warm_up=warm_up, group=index)


def test_frame_by_frame_the_earliest_segment_comes_first() -> None:
    events: list[object] = []
    schedule = Schedule(AllStages(), Condition(), events.append)
    first, second = task(0, 0, 2, halo=False), task(1, 2, 1, halo=True)
    schedule.add(first)
    schedule.add(second)
    assert not schedule.wants_more(on_the_way=0) and schedule.heavy_frames_left() == 3
    assert steps(schedule.next_heavy) == [
        "motion of frame 0",
        "paint of frame 0",
        "motion of frame 1",
        "paint of frame 1",
        "motion of frame 2",
        "paint of frame 2",
    ]
    assert schedule.wants_more(on_the_way=1) and not schedule.wants_more(on_the_way=2)
    assert steps(schedule.next_blend) == ["blend of frame 0", "blend of frame 1"]
    assert isinstance(events[0], LastFrame) and events[1:] == [first]
    assert schedule.only_blends_left(1)
    schedule.hand_boundary(1, events[0].image)
    assert steps(schedule.next_blend) == ["blend of frame 2"]
    # What the temporal pass has used is not kept until the segment is fetched.
    assert [motion and motion.prepared for motion in first.motions] == [None, None]


def test_motion_goes_on_while_a_batch_is_painted() -> None:
    schedule = BatchSchedule(AllStages(), Condition(), lambda event: None)
    schedule.add(task(0, 0, 3, halo=False))
    assert schedule.prefetch_frames == 2
    assert steps(schedule.next_heavy) == [
        "paint of frames 0, 1",
        "motion of frame 0",
        "motion of frame 1",
        "motion of frame 2",
        "paint of frames 0, 1",
        "paint of frame 2",
        "paint of frame 2",
    ]


def test_recurrent_models_take_whatever_they_may_hold() -> None:
    schedule = RecurrentSchedule(AllStages(), Condition(), lambda event: None)
    schedule.add(task(0, 1, 3, halo=True))
    assert schedule.wants_more(on_the_way=100)


def test_a_stretch_is_corrected_after_its_rest() -> None:
    events: list[object] = []
    schedule = StretchSchedule(AllStages(), OVERLAP, Condition(), events.append)
    first = task(3, 8, 6, halo=False, warm_up=2)
    rest = Task(4, 14, [image(14)], image(13), group=3)
    schedule.add(first)
    schedule.add(rest)
    schedule.hand_boundary(3, image(99)[None])
    steps(schedule.next_heavy)
    assert steps(schedule.next_blend) == [f"blend of frame {number}" for number in range(8, 14)]
    assert [type(event) for event in events] == [LastFrame]
    schedule.hand_boundary(4, first.finished[-1])
    assert steps(schedule.next_blend) == [
        "blend of frame 14",
        "correction of frame 10",
        "correction of frame 11",
    ]
    assert events[2:] == [rest, first]
    assert schedule.wants_more(on_the_way=2) and not schedule.wants_more(on_the_way=3)
