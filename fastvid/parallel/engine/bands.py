"""The temporal pass band by band, from the top of a frame to its bottom.

What a band takes of the frame before lies near it, as far as things move. So the next frame can be
begun when some bands of this one are done, and the next segment, on another rank, when some bands
of its boundary frame are there: the pass runs through a shot as a wavefront through frames and
bands, several ranks at it, where one frame after the other would take each rank's time in full. At
1920x1080 a frame takes 40 ms; one after the other 64 ranks could finish no more than 25 a second.

Bands of one frame are finished in order, and so are frames. The bytes are those of whole frames.
"""

from bisect import bisect_right
from typing import Any

import numpy as np

from fastvid.parallel.engine.task import PartlyFinished, Task
from fastvid.stages.interface import Motion, RowStages

# A band takes as long as some messages: less would not be worth them.
_BAND_PX = 128 << 10
_MOST_BANDS = 32


def band_stops(height: int, width: int) -> list[int]:
    """The rows behind each band of a frame; one for small frames."""
    count = min(max(1, height * width // _BAND_PX), _MOST_BANDS)
    return [height * (number + 1) // count for number in range(count)]


class BandedPass:
    """Which band comes next, and its computing."""

    def __init__(self, stages: RowStages[Any]) -> None:
        self._stages = stages

    def needs(self, motion: Motion[Any], height: int, width: int) -> tuple[int, ...]:
        """How many rows of the frame before each band takes; the last one all, so that frames are
        finished in order. Empty for frames of one band."""
        stops = band_stops(height, width)
        if len(stops) == 1:
            return ()
        firsts = [0, *stops[:-1]]
        needed = [
            min(height, self._stages.rows_needed(motion, first, stop))
            for first, stop in zip(firsts, stops, strict=True)
        ]
        return (*needed[:-1], height)

    @staticmethod
    def next_frame(task: Task) -> int | None:
        """The position of the frame whose next band can be finished; the last one of all, so that
        the next segment has what it waits for as early as can be. None if there is none."""
        finished = len(task.finished)
        ready = min(len(task.motions), len(task.painted))
        for position in reversed(range(finished, min(finished + len(task.begun) + 1, ready))):
            needs = task.needs[position]
            if not needs:
                if position == finished and not task.begun and task.past_is_known():
                    return position
                continue
            if _known_rows(task, position - 1) >= needs[_band(task, position)]:
                return position
        return None

    def step(self, task: Task, position: int) -> tuple[int, PartlyFinished]:
        """Finishes the next band of a frame, from its first row on; what is finished of it now."""
        painted, motion = task.painted[position], task.motions[position]
        assert painted is not None and motion is not None
        place = position - len(task.finished)
        if place == len(task.begun):
            task.begun.append(PartlyFinished(np.empty_like(painted)))
        frame = task.begun[place]
        first = frame.rows
        stop = band_stops(*painted.shape[1:3])[_band(task, position)]
        previous = _image(task, position - 1)
        self._stages.blend_rows(painted, previous, motion, first, stop, frame.image)
        frame.rows = stop
        return first, frame


def _band(task: Task, position: int) -> int:
    """The number of a frame's next band."""
    place = position - len(task.finished)
    rows = task.begun[place].rows if place < len(task.begun) else 0
    painted = task.painted[position]
    assert painted is not None
    height, width = painted.shape[1:3]
    band: int = bisect_right(band_stops(height, width), rows)
    return band


def _known_rows(task: Task, position: int) -> int:
    """How many rows of a frame are finished; -1: of the one before the segment."""
    height: int = task.frames[0].shape[0]
    if position < 0 and task.boundary is None:
        return 0 if task.arriving is None else task.arriving.rows
    if position < len(task.finished):
        return height
    return task.begun[position - len(task.finished)].rows


def _image(task: Task, position: int) -> np.ndarray:
    """A finished frame, or what there is of it."""
    if position >= len(task.finished):
        return task.begun[position - len(task.finished)].image
    if position >= 0:
        return task.finished[position]
    if task.boundary is not None:
        return task.boundary
    assert task.arriving is not None
    return task.arriving.image
