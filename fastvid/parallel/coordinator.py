"""Rank 0's part in a job: deals segments, says who hands over to whom, fetches what is finished.

Like the worker it never waits. Its memory is bounded: segments are decoded only as far ahead as
they are asked for, and results stay with the ranks until there is room for them here.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from fastvid.decode.frame import NO_IMAGE
from fastvid.errors import ReadingRefused, RemoteError
from fastvid.parallel import messages, segment_messages
from fastvid.parallel.dealer import Dealer
from fastvid.parallel.dispatch import receives_from
from fastvid.parallel.engine.reading import ReadRequest
from fastvid.parallel.engine.task import Place
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.segments import Segment
from fastvid.parallel.sink import Sink
from fastvid.runfile.writer import SegmentRecord
from fastvid.stages.interface import STAGES
from fastvid.stages.seam_report import SeamReport
from fastvid.system.readahead import ReadAhead

# Segments that are decoded and announced beyond those that somebody has asked for.
_READY_SEGMENTS = 2


@dataclass
class _Dealt:
    segment: Segment
    rank: int
    joined: bool  # to the stretch before
    dealt_start: float = field(default_factory=time.time)


class Coordinator:
    """Runs a job from rank 0.

    segments: of the whole video, in order. sink: takes what is finished. may_compute_here: asked
    before rank 0 is dealt a segment, which has the video to decode, store and encode besides.
    ranks_read: the ranks are dealt numbers of frames, and read these themselves. seams: takes what
    the ranks tell of their temporal errors, None if they do not. receivers: of the messages for
    rank 0.
    """

    def __init__(
        self,
        comm: Communicator,
        segments: ReadAhead[Segment],
        sink: Sink,
        may_compute_here: Callable[[], bool],
        ranks_read: bool = False,
        seams: SeamReport | None = None,
    ) -> None:
        self._comm = comm
        self._segments = segments
        self._sink = sink
        self._may_compute_here = may_compute_here
        self._ranks_read = ranks_read
        self._own_request = False
        self._stopping = False
        self._skipped: set[int] = set()
        # The styles that lack the last segment that was decoded.
        self._lacking: frozenset[int] = frozenset()
        # The next segment, with the styles whose frame before it was asked for; and such frames of
        # segments that are ready.
        self._awaiting: tuple[Segment, tuple[int, ...]] | None = None
        self._boundaries: dict[int, segment_messages.Boundary] = {}
        self._dealer = Dealer()
        self._ready: dict[int, Segment] = {}
        self._dealt: dict[int, _Dealt] = {}
        self._finished: dict[int, int] = {}
        self._all_decoded = False
        self.frames_decoded = 0
        self.shots = 0
        self._groups: set[int] = set()
        self.seams = seams
        self.stage_seconds = dict.fromkeys(STAGES, 0.0)
        self.receivers = (
            receives_from(segment_messages.Request, self._note_request),
            receives_from(segment_messages.Finished, self._note_finished),
            receives_from(segment_messages.Result, self._gather),
            receives_from(messages.Failure, self._fail),
        )

    @property
    def done(self) -> bool:
        """Whether every segment of the video has been handed to the sink."""
        return self._all_decoded and not self._ready and not self._dealt

    @property
    def idle(self) -> bool:
        """Whether nothing that was dealt is still out with a rank."""
        return not self._dealt

    @property
    def groups_dealt(self) -> int:
        """How many times a rank could be given work: segments, or stretches of them."""
        return len(self._groups)

    def waiting_ranks(self) -> Sequence[int]:
        """The other ranks that have asked for work and have none yet, in that order; none once
        nothing is dealt any more."""
        if self._stopping:
            return ()
        return [rank for rank in self._dealer.waiting_ranks() if rank != self._comm.rank]

    def borrow(self, rank: int) -> None:
        """Gives a waiting rank something else to do than a segment, until `give_back`."""
        self._dealer.withdraw(rank)

    def give_back(self, rank: int) -> None:
        """A rank that was borrowed waits for work again."""
        self._dealer.request(rank)

    def stop_dealing(self) -> None:
        """Deals nothing any more; what was dealt is still gathered."""
        self._stopping = True

    def step(self) -> bool:
        """Takes in decoded segments, deals, fetches; whether anything happened."""
        if self._stopping:
            return self._fetch()
        active = self._take_decoded()
        if self._own_request and self._may_compute_here():
            self._own_request = False
            self._dealer.request(self._comm.rank)
        deals, hand_overs = self._dealer.deal()
        for deal in deals:
            self._send_segment(self._ready.pop(deal.segment), deal.rank)
        for hand_over in hand_overs:
            successor = segment_messages.Successor(hand_over.segment, hand_over.successor)
            self._comm.send(hand_over.owner, successor)
        return self._fetch() or bool(deals) or active

    def _note_request(self, rank: int, _: segment_messages.Request) -> None:
        if rank == self._comm.rank:
            self._own_request = True
        else:
            self._dealer.request(rank)

    def _note_finished(self, rank: int, finished: segment_messages.Finished) -> None:
        self._finished[finished.segment] = rank

    def _fail(self, rank: int, failure: messages.Failure) -> None:
        """Raises RemoteError for a failure, with rank and host; ReadingRefused if it may be none
        for rank 0."""
        where = f"{self._comm.peers[rank]}: " if self._comm.size > 1 else ""
        error = ReadingRefused if failure.order_needed else RemoteError
        raise error(where + failure.text, failure.exit_status)

    def _take_decoded(self) -> bool:
        active = False
        while not self._all_decoded:
            if self._awaiting is not None:
                image = self._sink.looked_up()
                if image is None:
                    break
                segment, styles = self._awaiting
                self._awaiting = None
                boundary = segment_messages.Boundary(segment.index, image, styles=styles)
                self._boundaries[segment.index] = boundary
                self._announce(segment)
            elif not self._segments.ready() or self._enough_ready():
                break
            else:
                self._take_next()
            active = True
        return active

    def _enough_ready(self) -> bool:
        return len(self._ready) >= len(self._dealer.waiting_ranks()) + _READY_SEGMENTS

    def _take_next(self) -> None:
        """Takes a segment that is decoded in. Where an earlier run has finished the frame before
        it, nobody but the run files has that, and it is asked for first. Each style goes on from
        its own, and what is recomputed for another style from frames that were freed is never gone
        on from."""
        try:
            segment = next(self._segments)
        except StopIteration:
            self._all_decoded = True
            self._dealer.close()
            return
        self.frames_decoded = segment.stop
        self.shots = segment.shot + 1
        before = self._lacking
        self._lacking = self._sink.lacking(segment.start, segment.stop)
        if not self._lacking:
            self._sink.skip(segment.start, segment.stop)
            self._skipped.add(segment.index)
            return
        styles = tuple(sorted(self._lacking - before))
        if segment.begins_shot or not styles:
            self._announce(segment)
            return
        if segment.index - 1 in self._skipped:
            styles = ()  # all have it
        self._awaiting = segment, styles
        self._sink.look_up(segment.start - 1, styles)

    def _announce(self, segment: Segment) -> None:
        self._ready[segment.index] = segment
        self._dealer.add(segment.index, segment.begins_shot, segment.group)

    def _send_segment(self, segment: Segment, rank: int) -> None:
        boundary = self._boundaries.pop(segment.index, None)
        if boundary is not None:
            self._comm.send(rank, boundary)
        halo = () if segment.halo is None else (segment.halo,)
        frames = (*segment.warm_up, *halo, *segment.frames)
        place = Place(
            segment.index,
            segment.start,
            segment.stop,
            bool(halo),
            len(segment.warm_up),
            segment.group,
        )
        # Rank 0 may have decoded them for the cuts.
        if self._ranks_read and (rank != self._comm.rank or not frames[0].image.size):
            checksums = tuple(frame.checksum for frame in frames if frame.checksum is not None)
            self._comm.send(rank, segment_messages.Read(ReadRequest(place, checksums)))
        else:
            images = tuple(frame.image for frame in frames)
            self._comm.send(rank, segment_messages.Segment(place, images))
        # The images are on their way; only the facts of the segment are needed from here on.
        facts = replace(
            segment,
            halo=None,
            warm_up=(),
            frames=tuple(replace(frame, image=NO_IMAGE) for frame in segment.frames),
        )
        self._dealt[segment.index] = _Dealt(facts, rank, bool(segment.warm_up))
        self._groups.add(segment.group)

    def _fetch(self) -> bool:
        active = False
        while self._finished and self._sink.room():
            index = min(self._finished)
            self._comm.send(self._finished.pop(index), segment_messages.Fetch(index))
            self._sink.expect()
            active = True
        return active

    def _gather(self, rank: int, result: segment_messages.Result) -> None:
        dealt = self._dealt.pop(result.segment)
        segment = dealt.segment
        if self.seams is not None:
            self.seams.add(segment.start, result.errors)
            if dealt.joined:
                self.seams.add_seam(segment.start)
        stage_times = {"dealt_start": dealt.dealt_start, "stored_start": time.time()}
        for stage, time_taken in result.times.items():
            stage_times[f"{stage.value}_start"] = time_taken.start
            stage_times[f"{stage.value}_seconds"] = time_taken.seconds
            self.stage_seconds[stage] += time_taken.seconds
        record = SegmentRecord(
            index=segment.index,
            start=segment.start,
            stop=segment.stop,
            shot=segment.shot,
            shot_start=segment.shot_start,
            rank=rank,
            host=self._comm.peers[rank].host,
            pts=[frame.pts for frame in segment.frames],
            durations=[frame.duration for frame in segment.frames],
            times=stage_times,
        )
        self._sink.put(
            record,
            list(result.frames),
            list(result.flows),
            list(result.occlusions),
            result.weights,
        )
