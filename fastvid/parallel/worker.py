"""A rank's part in a job: takes segments, computes them, hands boundary frames on, delivers
results.

The main thread talks (this class), the engine's threads compute. Nothing here waits: the receivers
react to messages, `step` to what the engine has done.
"""

import logging
import queue
import time
from collections.abc import Sequence

from fastvid.decode.film_index import SourceIndex
from fastvid.parallel import messages, segment_messages
from fastvid.parallel.boundaries import Incoming, Outgoing
from fastvid.parallel.dealer import NOBODY
from fastvid.parallel.dispatch import receives
from fastvid.parallel.encoding_worker import EncodingWorker
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.reading import FoundCuts, SegmentReadingThread
from fastvid.parallel.engine.task import LastFrame, LastRows, Place, Task
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
        self._incoming, self._outgoing = Incoming(engine), Outgoing(comm)
        self._present: set[int] = set()
        self._expects_until = 0.0
        self._encoding = EncodingWorker(comm, engine)
        self.receivers = (
            receives(messages.Film, lambda film: self.read_film(film.index)),
            receives(messages.FindCuts, self._find_cuts),
            receives(segment_messages.Segment, self._take_on),
            receives(segment_messages.Read, self._read),
            receives(segment_messages.Successor, self._outgoing.note_successor),
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
            if isinstance(event, LastFrame | LastRows):
                self._outgoing.finished(event)
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
        self._incoming.begin(task.index)

    # -- boundary frames come and go -------------------------------------------------------------

    def _take_boundary(self, boundary: segment_messages.Boundary) -> None:
        present = boundary.segment in self._present
        if not boundary.styles:
            self._expects_until = 0.0
        if self._incoming.take(boundary, present) and present:
            self._announce(boundary.segment, 1)

    def _expect_boundary(self, coming: segment_messages.Coming) -> None:
        self._expects_until = time.monotonic() + _EXPECT_S
        self._announce(coming.segment, coming.hops)

    def _announce(self, segment: int, hops: int) -> None:
        """Lets the successor look out for its boundary frame, if only the temporal pass of this
        segment is left to do: every segment behind waits for it. Where all ranks ring it is woken.

        hops: how many hand-overs away that frame is.
        """
        successor = self._outgoing.successor(segment)
        if self._comm.rung_by_all:
            return
        if (
            hops <= _ANNOUNCED_HOPS
            and successor != NOBODY
            and segment in self._present
            and self._engine.only_blends_left(segment)
        ):
            self._comm.send(successor, segment_messages.Coming(segment + 1, hops + 1))

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
