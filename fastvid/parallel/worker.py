"""A rank's part in a job: takes segments, computes them, hands boundary frames on, delivers
results.

The main thread talks (this class), the engine's thread computes. Nothing here waits: `handle`
reacts to a message, `step` to what the engine has done.
"""

import logging
import queue
import time
from collections.abc import Sequence

import numpy as np

from fastvid.decode.film_index import SourceIndex, index_from_arrays
from fastvid.encode.plan import plan_of_text
from fastvid.parallel.dealer import NOBODY
from fastvid.parallel.engine.encoding import PartEncodingThread, PartOrder
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.reading import ReadRequest, SegmentReadingThread
from fastvid.parallel.engine.task import LastFrame, Place, Task
from fastvid.parallel.engine.threads import Failed
from fastvid.parallel.mpi.communicator import Communicator, Kind, Message
from fastvid.parallel.mpi.waiting import LONGEST_SLEEP_S, TRANSFER_SLEEP_S
from fastvid.stages.interface import STAGES, kept_flow, kept_occlusion

# Where ranks do not ring, a boundary frame is announced so many ranks ahead: a hop may be shorter
# than the longest sleep of a rank. For so long each of them looks out for it.
_ANNOUNCED_HOPS = 3
_EXPECT_S = 0.2
_log = logging.getLogger(__name__)


class Worker:
    """The worker of one rank.

    lookahead: segments, or groups of them, that the rank may hold at a time, from their arrival
    until rank 0 fetches them.
    keep: "flow" and "occlusion" are delivered with the frames if they are named here.
    with_errors: so are the temporal errors.
    """

    def __init__(
        self,
        comm: Communicator,
        engine: Engine,
        lookahead: int,
        keep: Sequence[str] = (),
        with_errors: bool = False,
    ) -> None:
        self._comm = comm
        self._engine = engine
        self._lookahead = lookahead
        self._keep = keep
        self._with_errors = with_errors
        self._asked = False
        self._last_group = NOBODY
        self._held: dict[int, int] = {}  # segments, and their groups
        self._reading: SegmentReadingThread | None = None
        self._encoding: PartEncodingThread | None = None
        self._reading_frames = 0
        self._done: dict[int, Task] = {}
        self._successors: dict[int, int] = {}
        self._last_frames: dict[int, np.ndarray] = {}
        self._early_boundaries: dict[int, np.ndarray] = {}
        self._present: set[int] = set()
        self._expects_until = 0.0

    def step(self) -> bool:
        """Passes on what the engine has done and asks for work; whether anything happened."""
        active = self._take_read() | self._help_encoding()
        while True:
            try:
                event = self._engine.events.get_nowait()
            except queue.Empty:
                break
            active = True
            if isinstance(event, LastFrame):
                self._last_frames[event.segment] = event.image
                self._hand_over(event.segment)
            elif isinstance(event, Task):
                self._done[event.index] = event
                self._present.discard(event.index)
                _log.info(
                    "segment %d finished: %d frames from frame %d",
                    event.index,
                    len(event.frames),
                    event.start,
                )
                self._comm.send(0, Kind.FINISHED, [event.index])
            elif isinstance(event, Failed):
                self._report(event)
        return self._ask() or active

    def read_film(self, index: SourceIndex) -> None:
        """From now on this rank may be dealt frames to read itself."""
        self._reading = SegmentReadingThread(index, self._comm.wake.set)
        self._engine.watch(self._reading.thread)

    def handle(self, message: Message) -> None:
        """Reacts to a message for the worker (`fastvid.parallel.polling`)."""
        if message.kind is Kind.SEGMENT:
            self._take_on(message)
        elif message.kind is Kind.READ:
            self._read(ReadRequest.from_numbers(message.header, message.arrays))
        elif message.kind is Kind.FILM:
            self.read_film(index_from_arrays(message.arrays))
        elif message.kind is Kind.SUCCESSOR:
            segment, successor = message.header
            self._successors[segment] = successor
            self._hand_over(segment)
        elif message.kind is Kind.BOUNDARY:
            self._expects_until = 0.0
            (segment,) = message.header
            if segment in self._present:
                self._engine.hand_boundary(segment, message.arrays[0])
                self._announce(segment, 1)
            else:
                self._early_boundaries[segment] = message.arrays[0]
        elif message.kind is Kind.COMING:
            self._expects_until = time.monotonic() + _EXPECT_S
            self._announce(*message.header)
        elif message.kind is Kind.FETCH:
            self._deliver(self._done.pop(message.header[0]))
        elif message.kind is Kind.ENCODE:
            if self._encoding is None:
                self._encoding = PartEncodingThread(self._comm.wake.set)
                self._engine.watch(self._encoding.thread)
            self._encoding.begin(PartOrder(*message.header), plan_of_text(message.text()))
        elif message.kind is Kind.PICTURES and self._encoding is not None:
            times, *images = message.arrays
            self._encoding.take(images, times)

    def longest_sleep_s(self) -> float:
        """How long the rank may sleep between two looks where not every rank rings."""
        expecting = time.monotonic() < self._expects_until
        return TRANSFER_SLEEP_S if expecting else LONGEST_SLEEP_S

    def _announce(self, segment: int, hops: int) -> None:
        """Lets the successor look out for its boundary frame, if only the temporal pass of this
        segment is left to do: every segment behind waits for it. Where all ranks ring it is woken.

        hops: how many hand-overs away that frame is.
        """
        successor = self._successors.get(segment, NOBODY)
        if self._comm.rung_by_all:
            return
        if (
            hops <= _ANNOUNCED_HOPS
            and successor != NOBODY
            and segment in self._present
            and self._engine.only_blends_left(segment)
        ):
            self._comm.send(successor, Kind.COMING, [segment + 1, hops + 1])

    def _ask(self) -> bool:
        if self._asked or len(set(self._held.values())) >= self._lookahead:
            return False
        if not self._engine.wants_more(self._reading_frames):
            return False
        self._asked = True
        self._comm.send(0, Kind.REQUEST)
        return True

    def _take_on(self, message: Message) -> None:
        place = Place.from_numbers(message.header)
        _log.debug("segment %d begun", place.index)
        self._hold(place)
        self._begin(place.task(message.arrays))

    def _read(self, request: ReadRequest) -> None:
        assert self._reading is not None
        self._hold(request.place)
        self._reading_frames += request.place.stop - request.place.start
        self._reading.thread.put(request)

    def _hold(self, place: Place) -> None:
        self._held[place.index] = place.group
        if place.group != self._last_group:  # the rest of a group comes without being asked for
            self._last_group = place.group
            self._asked = False

    def _take_read(self) -> bool:
        """Begins with the segments that have been read meanwhile; whether there were any."""
        active = False
        while self._reading is not None and not self._reading.events.empty():
            event = self._reading.events.get()
            active = True
            if isinstance(event, Failed):
                self._report(event)
            else:
                self._reading_frames -= len(event.frames) - event.warm_up
                self._begin(event)
        return active

    def _help_encoding(self) -> bool:
        """Passes on what is encoded and asks for frames; whether there was anything to do."""
        encoding, active = self._encoding, False
        if encoding is None:
            return False
        while not encoding.chunks.empty():
            chunk = encoding.chunks.get()
            active = True
            if chunk.last:
                _log.info("frames %d to %d encoded", chunk.order.first, chunk.order.stop - 1)
            self._comm.send(
                0,
                Kind.ENCODED,
                [int(chunk.last)],
                [np.frombuffer(text, np.uint8) for text in (chunk.problem.encode(), chunk.content)],
            )
        while (wanted := encoding.wants()) is not None:
            _, start, stop = wanted
            active = True
            self._comm.send(0, Kind.WANT, [start, stop])
        return active

    def _begin(self, task: Task) -> None:
        task.boundary = self._early_boundaries.pop(task.index, None)
        self._present.add(task.index)
        self._engine.add(task)

    def _report(self, failed: Failed) -> None:
        for line in failed.message.splitlines():
            _log.error("%s", line)
        self._comm.send_text(
            0, Kind.FAILURE, failed.message, [failed.exit_status, int(failed.order_needed)]
        )

    def _hand_over(self, segment: int) -> None:
        """Sends the last frame of a segment on, once it is finished and its successor is known."""
        if segment not in self._successors or segment not in self._last_frames:
            return
        successor = self._successors.pop(segment)
        image = self._last_frames.pop(segment)
        if successor != NOBODY:
            self._comm.send(successor, Kind.BOUNDARY, [segment + 1], [image])

    def _deliver(self, task: Task) -> None:
        times = [[task.times[s].start, task.times[s].seconds] for s in STAGES]
        motions = task.motions[task.warm_up :]
        arrays: list[np.ndarray] = [
            np.array(times, dtype=np.float64),
            *task.finished[task.warm_up :],
        ]
        if "flow" in self._keep:
            arrays += [kept_flow(motion, task.frames[0]) for motion in motions]
        if "occlusion" in self._keep:
            arrays += [kept_occlusion(motion, task.frames[0]) for motion in motions]
        if self._with_errors:
            arrays.append(np.array(task.errors[task.warm_up :], dtype=np.float64))
        del self._held[task.index]
        self._comm.send(0, Kind.RESULT, [task.index], arrays)
