"""A rank's part in a job: takes segments, computes them, hands boundary frames on, delivers
results.

The main thread talks (this class), the engine's threads compute. Nothing here waits: the receivers
react to messages, `step` to what the engine has done.
"""

import logging
import queue
import time
from collections.abc import Sequence

import numpy as np

from fastvid.decode.film_index import SourceIndex
from fastvid.parallel import messages, segment_messages
from fastvid.parallel.dealer import NOBODY
from fastvid.parallel.dispatch import receives
from fastvid.parallel.encoding_worker import EncodingWorker
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.reading import FoundCuts, SegmentReadingThread
from fastvid.parallel.engine.task import LastFrame, LastRows, PartlyFinished, Place, Task
from fastvid.parallel.engine.threads import Failed
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.waiting import LONGEST_SLEEP_S, TRANSFER_SLEEP_S
from fastvid.regions.planes import FramePlanes
from fastvid.stages.interface import kept_flow, kept_occlusion

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
    with_errors: so are the temporal errors. planes: reads the masks that go with the frames that
    this rank reads itself. stage_to: the folder to which it copies the film for that.
    receivers: of the messages for a worker.
    """

    def __init__(
        self,
        comm: Communicator,
        engine: Engine,
        lookahead: int,
        keep: Sequence[str] = (),
        with_errors: bool = False,
        planes: FramePlanes | None = None,
        stage_to: str | None = None,
    ) -> None:
        self._comm = comm
        self._engine = engine
        self._lookahead = lookahead
        self._keep = keep
        self._with_errors = with_errors
        self._planes = planes
        self._stage_to = stage_to
        self._asked = False
        self._last_group = NOBODY
        self._held: dict[int, int] = {}  # segments, and their groups
        self._reading: SegmentReadingThread | None = None
        self._reading_frames = 0
        self._done: dict[int, Task] = {}
        self._successors: dict[int, int] = {}
        # The last frames of segments, or parts of them, whose successors are not known yet.
        self._last_frames: dict[int, list[LastRows]] = {}
        # The frames before segments that are not here yet, and those of which parts are.
        self._early_boundaries: dict[int, np.ndarray] = {}
        self._arriving: dict[int, PartlyFinished] = {}
        # Of the segments whose boundary frame is known in part: that part.
        self._known_boundaries: dict[int, segment_messages.Boundary] = {}
        self._present: set[int] = set()
        self._expects_until = 0.0
        self._encoding = EncodingWorker(comm, engine)
        self.receivers = (
            receives(messages.Film, lambda film: self.read_film(film.index)),
            receives(messages.FindCuts, self._find_cuts),
            receives(segment_messages.Segment, self._take_on),
            receives(segment_messages.Read, self._read),
            receives(segment_messages.Successor, self._note_successor),
            receives(segment_messages.Coming, self._expect_boundary),
            receives(segment_messages.Boundary, self._take_boundary),
            receives(segment_messages.Fetch, self._deliver),
            *self._encoding.receivers,
        )

    def step(self) -> bool:
        """Passes on what the engine has done and asks for work; whether anything happened."""
        active = self._take_read() | self._encoding.step()
        while True:
            try:
                event = self._engine.events.get_nowait()
            except queue.Empty:
                break
            active = True
            if isinstance(event, LastFrame):
                event = LastRows(event.segment, 0, event.image, 0)
            if isinstance(event, LastRows):
                self._last_frames.setdefault(event.segment, []).append(event)
                self._hand_over(event.segment)
            elif isinstance(event, Task):
                self._finish(event)
            else:
                self._report(event)
        return self._ask() or active

    def read_film(self, index: SourceIndex) -> None:
        """From now on this rank may be dealt frames to read itself."""
        self._reading = SegmentReadingThread(index, self._comm.wake, self._planes, self._stage_to)
        self._engine.watch(self._reading.thread)

    def longest_sleep_s(self) -> float:
        """How long the rank may sleep between two looks where not every rank rings."""
        expecting = time.monotonic() < self._expects_until
        return TRANSFER_SLEEP_S if expecting else LONGEST_SLEEP_S

    # -- work comes in ---------------------------------------------------------------------------

    def _ask(self) -> bool:
        if self._asked or len(set(self._held.values())) >= self._lookahead:
            return False
        if not self._engine.wants_more(self._reading_frames):
            return False
        self._asked = True
        self._comm.send(0, segment_messages.Request())
        return True

    def _take_on(self, segment: segment_messages.Segment) -> None:
        _log.debug("segment %d begun", segment.place.index)
        self._hold(segment.place)
        self._begin(segment.place.task(segment.images))

    def _read(self, read: segment_messages.Read) -> None:
        assert self._reading is not None
        place = read.request.place
        self._hold(place)
        self._reading_frames += place.stop - place.start
        self._reading.thread.put(read.request)

    def _find_cuts(self, order: messages.FindCuts) -> None:
        assert self._reading is not None
        self._reading.thread.put(order.request)

    def _hold(self, place: Place) -> None:
        self._held[place.index] = place.group
        if place.group != self._last_group:  # the rest of a group comes without being asked for
            self._last_group = place.group
            self._asked = False

    def _take_read(self) -> bool:
        """Begins with the segments that have been read meanwhile, and tells of cuts; whether there
        were any."""
        active = False
        while self._reading is not None and not self._reading.events.empty():
            event = self._reading.events.get()
            active = True
            if isinstance(event, Failed):
                self._report(event)
            elif isinstance(event, FoundCuts):
                self._comm.send(0, messages.CutsFound(event))
            else:
                self._reading_frames -= len(event.frames) - event.warm_up
                self._begin(event)
        return active

    def _begin(self, task: Task) -> None:
        self._present.add(task.index)
        self._engine.add(task)
        boundary = self._early_boundaries.pop(task.index, None)
        if boundary is not None:
            self._hand_boundary(task.index, boundary)
        elif task.index in self._arriving:
            self._hand_rows(task.index)

    # -- boundary frames come and go -------------------------------------------------------------

    def _take_boundary(self, boundary: segment_messages.Boundary) -> None:
        if boundary.styles:
            self._known_boundaries[boundary.segment] = boundary
            return
        self._expects_until = 0.0
        segment, image = boundary.segment, boundary.image
        present = segment in self._present
        if boundary.height:
            if not self._add_rows(boundary):
                if present:
                    self._hand_rows(segment)
                return
            image = self._arriving.pop(segment).image
        if present:
            self._hand_boundary(segment, image)
            self._announce(segment, 1)
        else:
            self._early_boundaries[segment] = image

    def _add_rows(self, boundary: segment_messages.Boundary) -> bool:
        """Adds a part of a frame to what is here of it; whether it is whole now."""
        styles, count, *rest = boundary.image.shape
        if boundary.first == 0:
            whole = np.empty((styles, boundary.height, *rest), boundary.image.dtype)
            self._arriving[boundary.segment] = PartlyFinished(whole)
        arriving = self._arriving[boundary.segment]
        assert arriving.rows == boundary.first
        stop: int = boundary.first + count
        arriving.image[:, boundary.first : stop] = boundary.image
        arriving.rows = stop
        return stop == boundary.height

    def _hand_rows(self, segment: int) -> None:
        """Hands what is here of the frame before a segment to the engine, unless some styles come
        from elsewhere."""
        if segment not in self._known_boundaries:
            self._engine.hand_rows(segment, self._arriving[segment])

    def _hand_boundary(self, segment: int, image: np.ndarray) -> None:
        """Hands the frame before a segment to the engine; styles of which an earlier run has it
        take that one."""
        known = self._known_boundaries.pop(segment, None)
        if known is not None:
            image = image.copy()  # its owner delivers it as it is
            image[list(known.styles)] = known.image
        self._engine.hand_boundary(segment, image)

    def _expect_boundary(self, coming: segment_messages.Coming) -> None:
        self._expects_until = time.monotonic() + _EXPECT_S
        self._announce(coming.segment, coming.hops)

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
            self._comm.send(successor, segment_messages.Coming(segment + 1, hops + 1))

    def _note_successor(self, successor: segment_messages.Successor) -> None:
        self._successors[successor.segment] = successor.rank
        self._hand_over(successor.segment)

    def _hand_over(self, segment: int) -> None:
        """Sends what is finished of the last frame of a segment on, if its successor is known."""
        if segment not in self._successors or segment not in self._last_frames:
            return
        successor = self._successors[segment]
        for rows in self._last_frames.pop(segment):
            if successor != NOBODY:
                boundary = segment_messages.Boundary(
                    segment + 1, rows.image, rows.first, rows.height
                )
                self._comm.send(successor, boundary)
            if rows.first + rows.image.shape[1] == rows.height or not rows.height:
                del self._successors[segment]

    # -- results go out --------------------------------------------------------------------------

    def _finish(self, task: Task) -> None:
        self._done[task.index] = task
        self._present.discard(task.index)
        _log.info(
            "segment %d finished: %d frames from frame %d",
            task.index,
            len(task.frames),
            task.start,
        )
        self._comm.send(0, segment_messages.Finished(task.index))

    def _deliver(self, fetch: segment_messages.Fetch) -> None:
        task = self._done.pop(fetch.segment)
        motions, like = task.motions[task.warm_up :], task.frames[0]
        flows = motions if "flow" in self._keep else []
        occlusions = motions if "occlusion" in self._keep else []
        del self._held[task.index]
        self._comm.send(
            0,
            segment_messages.Result(
                task.index,
                task.times,
                tuple(task.finished[task.warm_up :]),
                tuple(kept_flow(motion, like) for motion in flows),
                tuple(kept_occlusion(motion, like) for motion in occlusions),
                tuple(task.errors[task.warm_up :]) if self._with_errors else (),
                tuple(task.weights),
            ),
        )

    def _report(self, failed: Failed) -> None:
        for line in failed.message.splitlines():
            _log.error("%s", line)
        self._comm.send(
            0, messages.Failure(failed.message, failed.exit_status, failed.order_needed)
        )
