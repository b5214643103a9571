"""The steps of a job, each with what it takes and what it hands to the next."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType

from fastvid.decode.film_index import SourceIndex
from fastvid.decode.frame import Frame
from fastvid.encode.encoded_parts import EncodedParts, part_frames_of
from fastvid.encode.encoder_thread import EncoderThread, encoder_threads
from fastvid.errors import Stopped
from fastvid.job.decoding import marked_frames, with_planes
from fastvid.job.gather import Gatherer
from fastvid.job.lead import Leader
from fastvid.job.load import Rank0Load
from fastvid.job.outputs import opened_parts, put_together
from fastvid.job.prepare import Prepared
from fastvid.job.progress import Progress, shares
from fastvid.job.result import JobResult
from fastvid.job.showing import Showing
from fastvid.job.tuning import Tuning
from fastvid.parallel import messages
from fastvid.parallel.coordinator import Coordinator
from fastvid.parallel.cut_search import CutSearch
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.threads import ENCODING_NICE
from fastvid.parallel.heartbeat import Heartbeats
from fastvid.parallel.logs import log_to
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.lifetime import FAILED_PATIENCE_S
from fastvid.parallel.mpi.stopping import Deadline
from fastvid.parallel.segments import Segment, SegmentLengths, cut_into_segments
from fastvid.parallel.setup import StageFactory
from fastvid.parallel.stretches import cut_into_stretches
from fastvid.parallel.worker import Worker
from fastvid.stages.seam_report import SeamReport
from fastvid.system.job_script import tell_met
from fastvid.system.readahead import ReadAhead
from fastvid.system.stopwatch import Stopwatch, timed

# Segments decoded ahead: enough to hide a slow key frame, few enough for the memory of rank 0.
_DECODE_AHEAD_SEGMENTS = 4


class Run:
    """The steps of a job that is ready to begin, in their order. A context manager, at the end of
    which all that a step has begun ends, the last first.

    index: by which every rank reads its own frames, None where rank 0 decodes for all.
    """

    def __init__(
        self,
        job: Prepared,
        index: SourceIndex | None,
        comm: Communicator,
        progress: Progress,
        tuning: Tuning,
    ) -> None:
        self._job = job
        self._index = index
        self._comm = comm
        self._progress = progress
        self._tuning = tuning
        self._overlap = job.setup.settings.overlap
        self._decoding = Stopwatch()
        self._cut_search: CutSearch | None = None
        self._ends = ExitStack()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.__exit__(kind, error, trace)

    @contextmanager
    def ranks_called(self) -> Iterator[None]:
        """Within it the other ranks take part: they are told what the job is and what film they may
        read, and at the end that it is over, before anything is waited for.

        They listen for rank 0 meanwhile: its main thread does nothing there that may wait for a
        disk.
        """
        for painting in self._job.paintings:
            if painting.writer.stored:
                self._progress.say(
                    f"continuing {painting.run_path}: {len(painting.writer.stored)} of "
                    f"{self._job.source.frame_count} frames are there"
                )
        setup = self._job.setup
        self._ends.enter_context(log_to(setup.log_dir, setup.log_level, self._comm))
        self._comm.send_all(messages.Setup(setup))
        if self._index is not None:
            self._comm.send_all(messages.Film(self._index))
        try:
            yield
        finally:
            _end_ranks(self._comm)

    def decode(self) -> Iterator[tuple[Frame, bool]]:
        """The frames, each with whether a shot begins with it; as they are asked for."""
        source, cuts = self._job.source, self._job.options.cuts
        if self._index is not None and cuts == "auto" and self._comm.size > 1:
            self._cut_search = CutSearch(self._comm, source.frame_count)
            return self._cut_search.marked(source.promised_frames())
        marked = marked_frames(source, cuts, ranks_read=self._index is not None)
        if self._index is None:
            planes = self._job.setup.planes()
            if planes is not None:
                self._ends.callback(planes.close)
            marked = with_planes(marked, planes)
        return timed(marked, self._decoding)

    def cut(self, frames: Iterable[tuple[Frame, bool]]) -> Iterator[Segment]:
        """The frames as segments, in one piece or in stretches."""
        length = self._job.options.segment_length
        # Nothing is computed again that is there, whatever the length of segments was before.
        breaks = set[int]().union(*(one.writer.gaps() for one in self._job.paintings))
        if self._overlap is None:
            lengths = SegmentLengths(length, self._job.source.frame_count, self._comm.size)
            return cut_into_segments(frames, lengths, breaks)
        return cut_into_stretches(frames, length, self._overlap, breaks)

    def read_ahead(self, segments: Iterable[Segment]) -> ReadAhead[Segment]:
        """The segments as they are to be dealt, decoded ahead in a thread."""
        ahead = self._ends.enter_context(
            ReadAhead(segments, _DECODE_AHEAD_SEGMENTS, self._comm.wake)
        )
        if self._cut_search is not None:
            self._ends.callback(self._cut_search.end)  # or its thread would wait for ever
        return ahead

    def open_parts(self) -> list[EncodedParts]:
        """What is encoded already of each style."""
        frames = self._job.source.frame_count
        length = self._tuning.part_frames or part_frames_of(frames)
        return [
            self._ends.enter_context(opened_parts(painting, length, frames))
            for painting in self._job.paintings
        ]

    def gather(self, parts: Sequence[EncodedParts]) -> Gatherer:
        """Begins to store and to encode what is finished, in threads."""
        paintings, shared = self._job.paintings, self._comm.size > 1
        gatherer = Gatherer(
            [(one.writer, its) for one, its in zip(paintings, parts, strict=True)],
            encoder_threads(self._job.setup.settings.threads, len(paintings)),
            discard=self._job.options.discard_frames,
            wake=self._comm.wake,
            may_share=shared,
            open_encoder=_shared_encoder if shared else EncoderThread,
        )
        self._ends.callback(gatherer.cancel)
        gatherer.start()
        return gatherer

    def compute_along(self, make_stages: StageFactory) -> Engine:
        """Begins with what rank 0 computes itself, in threads."""
        setup = replace(self._job.setup, local_rank=self._comm.local_rank)
        engine = Engine(make_stages(setup), self._comm.wake, self._overlap)
        self._ends.callback(engine.stop)
        engine.start()
        return engine

    def lead(
        self, segments: ReadAhead[Segment], engine: Engine, gatherer: Gatherer, deadline: Deadline
    ) -> Coordinator:
        """Deals the segments until every frame is stored and encoded. Raises what `Leader.lead`
        does."""
        comm, options, overlap = self._comm, self._job.options, self._overlap
        load = Rank0Load(
            comm,
            self._decoding,
            gatherer,
            self._tuning.compute_below_load,
            self._tuning.encode_below_load,
        )
        coordinator = Coordinator(
            comm,
            segments,
            gatherer,
            load.may_compute,
            ranks_read=self._index is not None,
            seams=None if overlap is None else SeamReport(overlap.seam_frames),
        )
        worker = Worker(
            comm,
            engine,
            self._job.setup.lookahead,
            options.keep,
            with_errors=overlap is not None,
            planes=self._job.setup.planes(),
            stage_to=self._job.setup.stage_to,
        )
        if self._index is not None:
            worker.read_film(self._index)
        leader = Leader(
            comm,
            coordinator,
            worker,
            Heartbeats(comm, engine, options.rank_timeout, met=tell_met),
            gatherer,
            load.may_encode,
            self._job.encoders,
            self._cut_search,
        )
        show = partial(self._show, gatherer, coordinator)
        try:
            with Showing(show, self._progress.close) as showing:
                leader.lead(deadline, showing.check)
        except Stopped as stop:
            _end_ranks(comm)
            # A disk that hangs must not hold this rank up until it is killed.
            gatherer.cancel(max(0.0, (deadline.leave_by() or 0.0) - time.monotonic()))
            raise Stopped(self._how_to_go_on(stop)) from None
        return coordinator

    def finish(
        self, parts: Sequence[EncodedParts], gatherer: Gatherer, coordinator: Coordinator
    ) -> JobResult:
        """Puts the outputs together and marks the run files as complete."""
        self._tell_of_seams(coordinator)
        source, paintings = self._job.source, self._job.paintings
        for note in self._job.notes:
            self._progress.note(note)
        for note in (*source.late_notes, *source.damage):
            self._progress.warn(note)
        seconds = _seconds_by_stage(coordinator)
        seconds.update(decode=self._decoding.seconds, **gatherer.seconds())
        for painting, its in zip(paintings, parts, strict=True):
            put_together(self._job, painting, its, seconds, self._progress.note)
        return JobResult(
            tuple(painting.output for painting in paintings),
            tuple(painting.run_path for painting in paintings),
            gatherer.frames_stored,
            gatherer.frames_continued,
            coordinator.shots,
            0.0,
            seconds,
        )

    def _show(self, gatherer: Gatherer, coordinator: Coordinator) -> None:
        total = self._job.source.frame_count
        done, spent = gatherer.frames_stored, _seconds_by_stage(coordinator)
        self._progress.update(done, total, shares(spent))

    def _how_to_go_on(self, stop: Stopped) -> str:
        paintings = self._job.paintings
        done = min(len(painting.writer.stored) for painting in paintings)
        return (
            f"{stop}: {done} of {self._job.source.frame_count} frames are in "
            f"{', '.join(str(painting.run_path) for painting in paintings)}.\n"
            "The same command goes on from there."
        )

    def _tell_of_seams(self, coordinator: Coordinator) -> None:
        """How the film was shared out, and how well its stretches were joined."""
        what = "segments" if self._overlap is None else "stretches (--overlap-segment)"
        if idle := idle_note(self._comm.size, coordinator.groups_dealt, what):
            self._progress.note(idle)
        if coordinator.seams is not None and (seams := coordinator.seams.describe()):
            self._progress.note(seams)


def idle_note(ranks: int, dealt: int, what: str) -> str | None:
    """What to know where there was less to share out than there were ranks; None if there was
    enough, or nothing at all, as where a run is continued that is painted."""
    if 0 < dealt < ranks:
        return f"{ranks} ranks had only {dealt} {what} to share; some stayed idle"
    return None


def _shared_encoder(
    parts: EncodedParts,
    threads: int,
    failed: Callable[[BaseException], None],
    wake: Callable[[], object],
) -> EncoderThread:
    """Where others may take parts they are not waited for, as what is not painted yet is."""
    nice = 0 if parts.plan.is_folder else ENCODING_NICE
    return EncoderThread(parts, threads, failed, wake, nice=nice)


def _seconds_by_stage(coordinator: Coordinator) -> dict[str, float]:
    return {stage.value: spent for stage, spent in coordinator.stage_seconds.items()}


def _end_ranks(comm: Communicator) -> None:
    """Tells the other ranks that the job is over."""
    comm.send_all(messages.End())
    comm.drain(FAILED_PATIENCE_S)
