"""The temporal pass band by band, from the top of a frame to its bottom.

What a band takes of the frame before lies near it, as far as things move. So the next frame can be
begun when some bands of this one are done, and the next segment, on another rank, when some bands
of its boundary frame are there: the pass runs through a shot as a wavefront through frames and
bands, several ranks at it, where one frame after the other would take each rank's time in full. At
1920x1080 a frame takes 40 ms; one after the other 64 ranks could finish no more than 25 a second.

Bands of one frame are finished in order, and so are frames. The bytes are those of whole frames.
"""

from typing import Any

import numpy as np

from fastvid.parallel.engine.task import Band, PartlyFinished, Task
from fastvid.stages.interface import Motion, RowStages

# A band takes as long as some messages: less would not be worth them.
_BAND_PX = 128 << 10
_MOST_BANDS = 32


def band_stops(height: int, width: int) -> list[int]:
    """The rows behind each band of a frame; one for small frames."""
    return equal_stops(height, min(max(1, height * width // _BAND_PX), _MOST_BANDS))


def equal_stops(height: int, count: int) -> list[int]:
    """The rows behind each of so many bands, which are of one size but for a row."""
    return [height * (number + 1) // count for number in range(count)]


class BandedPass:
    """Which band comes next, and its computing."""

    def __init__(self, stages: RowStages[Any]) -> None:
        self._stages = stages

    def bands(self, motion: Motion[Any], height: int, width: int) -> tuple[Band, ...]:
        """The bands of a frame; the last one takes all of the frame before, so that frames are
        finished in order. Empty for a frame that is taken as a whole."""
        *stops, last = band_stops(height, width)
        found = []
        for first, stop in zip([0, *stops], stops, strict=False):
            needed = self._stages.rows_needed(motion, first, stop)
            if needed is None:
                return ()
            found.append(Band(stop, min(height, needed)))
        return (*found, Band(last, height)) if found else ()

    @staticmethod
    def next_frame(task: Task) -> int | None:
        """The position of the frame whose next band can be finished; the last one of all, so that
        the next segment has what it waits for as early as can be. None if there is none."""
        finished = len(task.finished)
        ready = min(len(task.motions), len(task.painted))
        for position in reversed(range(finished, min(finished + len(task.begun) + 1, ready))):
            if not task.bands[position]:
                if position == finished and not task.begun and task.past_is_known():
                    return position
                continue
            if _known_rows(task, position - 1) >= _next_band(task, position).needed:
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
        stop = _next_band(task, position).stop
        previous = _image(task, position - 1)
        self._stages.blend_rows(painted, previous, motion, first, stop, frame.image)
        frame.rows = stop
        return first, frame


def _next_band(task: Task, position: int) -> Band:
    """The first band of a frame that is not finished."""
    place = position - len(task.finished)
    rows = task.begun[place].rows if place < len(task.begun) else 0
    return next(band for band in task.bands[position] if band.stop > rows)


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
