"""A rank's own decoding: segments dealt as numbers become tasks with frames, in a thread.

Memory: a decoder, a halo frame, and the segments that were asked for, at most as many as the rank
may hold.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fastvid.errors import OrderNeeded
from fastvid.parallel.batches import Step
from fastvid.parallel.step_thread import HEAVY_NICE, WAITING, Failed, StepThread
from fastvid.parallel.task import Place, Task
from fastvid.video.film_index import SourceIndex
from fastvid.video.random_access import WAY_OUT, FrameReader, checksum, open_reader


@dataclass(frozen=True)
class ReadRequest:
    """A segment to be read, with the frames before it that it takes.

    checksums: of the frames to be read, as rank 0 has decoded them; empty where it has not.
    """

    place: Place
    checksums: tuple[int, ...] = ()

    def numbers(self) -> tuple[list[int], list[np.ndarray]]:
        """As header and arrays of a message."""
        arrays = [np.array(self.checksums, np.int64)] if self.checksums else []
        return self.place.numbers(), arrays

    @classmethod
    def from_numbers(cls, header: tuple[int, ...],
                     arrays: tuple[np.ndarray, ...]) -> "ReadRequest":
        """The inverse of `numbers`."""
        return cls(Place.from_numbers(header), tuple(arrays[0].tolist()) if arrays else ())


class Reading:
    """Reads the segments that it is asked for, in that order, in a thread of low priority.

    events: a `Task` for each, or what went wrong. wake: called at each event.
    """

    def __init__(self, index: SourceIndex, wake: Callable[[], object]) -> None:
        self.events: queue.SimpleQueue[Task | Failed] = queue.SimpleQueue()
        self._index = index
        self._wake = wake
        self._reader: FrameReader | None = None
        self._requests: deque[ReadRequest] = deque()
        self._condition = threading.Condition()
        self._stopping = False
        # As nice as the heavy stages: the temporal pass goes first.
        self._thread = StepThread(self._next_step, self._report, HEAVY_NICE)
        self._thread.start()

    @property
    def doing(self) -> str:
        """What it is at, in words."""
        return self._thread.doing

    def ask(self, request: ReadRequest) -> None:
        """Asks for a segment."""
        with self._condition:
            self._requests.append(request)
            self._condition.notify_all()

    def step_seconds(self) -> float:
        """How long the reading at hand has been going on, 0 if there is none."""
        return self._thread.step_seconds()

    def stop(self, patience_s: float) -> None:
        """Ends the thread after the segment at hand, and waits for that, but not for ever."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._thread.join(patience_s)

    def _report(self, event: Task | Failed) -> None:
        self.events.put(event)
        self._wake()

    def _next_step(self, thread: StepThread) -> Step | None:
        with self._condition:
            while not self._requests and not self._stopping:
                thread.doing = WAITING
                self._condition.wait()
            if not self._stopping:
                request = self._requests.popleft()
                place = request.place
                return Step(f"reading frames {place.first} to {place.stop - 1}",
                            partial(self._read, request))
        if self._reader is not None:
            self._reader.close()
        return None

    def _read(self, request: ReadRequest) -> None:
        if self._reader is None:
            self._reader = open_reader(self._index)
        place = request.place
        images = self._reader.read(place.first, place.stop)
        for number, image, expected in zip(range(place.first, place.stop), images,
                                           request.checksums):
            if checksum(image) != expected:
                raise OrderNeeded(
                    f"{self._index.path}: frame {number} comes out differently here than on rank "
                    f"0: the file or the hosts' libraries differ.\n{WAY_OUT}")
        self._report(place.task(images))
