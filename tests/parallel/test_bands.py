"""The temporal pass band by band: in which order, and with the bytes of whole frames."""

from collections.abc import Callable
from threading import Condition
from typing import Any

import numpy as np
import pytest

from fastvid.parallel.engine import bands
from fastvid.parallel.engine.bands import band_stops
from fastvid.parallel.engine.schedule import Schedule
from fastvid.parallel.engine.task import LastFrame, LastRows, PartlyFinished, Task
from fastvid.parallel.engine.threads import Step
from fastvid.stages.interface import Motion

HEIGHT, WIDTH = 12, 4
REACH = 2


class Falling:
    """Each frame is the one before, moved down by some rows, and mixed with its own."""

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[int] | None:
        return Motion(prepared=REACH)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        return frame[None]

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[int]) -> np.ndarray:
        finished = np.empty_like(painted)
        self.blend_rows(painted, previous, motion, 0, HEIGHT, finished)
        return finished

    def rows_needed(self, motion: Motion[int], first: int, stop: int) -> int | None:
        return stop + motion.prepared

    def blend_rows(
        self,
        painted: np.ndarray,
        previous: np.ndarray,
        motion: Motion[int],
        first: int,
        stop: int,
        finished: np.ndarray,
    ) -> None:
        rows = np.minimum(np.arange(first, stop) + motion.prepared, HEIGHT - 1)
        finished[:, first:stop] = painted[:, first:stop] // 2 + previous[:, rows] // 3


@pytest.fixture(autouse=True)
def four_rows_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_BAND_PX", 4 * WIDTH)


def frames(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(count)
    return [random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(count)]


def expected(film: list[np.ndarray]) -> list[np.ndarray]:
    """One frame after the other, as a whole."""
    finished = [film[0][None]]
    for frame in film[1:]:
        finished.append(Falling().blend(frame[None], finished[-1], Motion(REACH)))
    return finished


def begun(task: Task) -> tuple[Schedule, list[Any]]:
    """A schedule that has nothing left but the temporal pass, and what it reports."""
    events: list[Any] = []
    schedule = Schedule(Falling(), Condition(), events.append)
    schedule.add(task)
    take(schedule.next_heavy)
    return schedule, events


def take(next_step: Callable[[], Step | None]) -> list[str]:
    taken = []
    while (step := next_step()) is not None:
        step.run()
        taken.append(step.doing.removeprefix("blend of frame "))
    return taken


def test_small_frames_are_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert band_stops(360, 640) == [360]
    assert len(band_stops(720, 1280)) == 7 and band_stops(720, 1280)[-1] == 720
    assert len(band_stops(2160, 3840)) == 32


def test_the_last_frame_goes_ahead_as_far_as_it_can() -> None:
    """Bands of four rows take six of the frame before; so its second band has to be there."""
    film = frames(3)
    task = Task(4, 0, film, None)
    schedule, events = begun(task)
    # The first one of a shot is painted, no more.
    assert take(schedule.next_blend) == ["0", "1", "1", "2", "1", "2", "2"]
    assert all(np.array_equal(*pair) for pair in zip(task.finished, expected(film), strict=True))
    rows, (last,) = events[:3], events[3:]
    assert last is task and [(one.first, one.height) for one in rows] == [(0, 12), (4, 12), (8, 12)]
    assert np.array_equal(np.concatenate([one.image for one in rows], axis=1), task.finished[-1])
    assert not task.begun and len(task.errors) == 3


def test_a_segment_is_begun_before_its_boundary_frame_is_whole() -> None:
    film = frames(4)
    whole = expected(film)
    task = Task(5, 2, film[2:], film[1])
    schedule, events = begun(task)
    assert take(schedule.next_blend) == []
    boundary = PartlyFinished(np.zeros_like(whole[1]))
    for rows, steps in ((4, []), (8, ["2"]), (11, ["2", "3"])):
        boundary.image[:, :rows], boundary.rows = whole[1][:, :rows], rows
        schedule.hand_rows(5, boundary)
        assert take(schedule.next_blend) == steps
    schedule.hand_boundary(5, whole[1])
    assert take(schedule.next_blend) == ["2", "3", "3"]
    assert all(np.array_equal(*pair) for pair in zip(task.finished, whole[2:], strict=True))
    assert [type(event) for event in events] == [LastRows] * 3 + [Task]


def test_a_shot_of_one_frame_is_handed_over_as_a_whole() -> None:
    task = Task(0, 7, frames(1), None)
    schedule, events = begun(task)
    assert take(schedule.next_blend) == ["7"]
    assert isinstance(events[0], LastFrame) and events[1:] == [task]


def test_what_can_not_go_by_rows_is_taken_as_a_whole() -> None:
    class Eyes(Falling):
        def rows_needed(self, motion: Motion[int], first: int, stop: int) -> int | None:
            return None

    events: list[Any] = []
    film = frames(3)
    task = Task(0, 0, film, None)
    schedule = Schedule(Eyes(), Condition(), events.append)
    schedule.add(task)
    take(schedule.next_heavy)
    assert take(schedule.next_blend) == ["0", "1", "2"]
    assert all(np.array_equal(*pair) for pair in zip(task.finished, expected(film), strict=True))
    assert [type(event) for event in events] == [LastFrame, Task]
