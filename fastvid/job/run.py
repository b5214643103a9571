"""A job from beginning to end, as rank 0 runs it. `_compute` reads like the data's way:

decode -> deal -> flow + occlusion + stylize -> temporal pass -> gather -> HDF5 -> encode
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastvid.decode.film_index import SourceIndex, index_arrays
from fastvid.decode.frame import Frame
from fastvid.encode.mux import mux
from fastvid.encode.thread import EncoderThread, clear_parts, encoder_threads, part_folder
from fastvid.errors import InputError, ReadingRefused, Stopped
from fastvid.job.decoding import choose_decoding, marked_frames
from fastvid.job.fanout import FanOut
from fastvid.job.gather import Gatherer
from fastvid.job.lead import lead
from fastvid.job.options import StylizeOptions
from fastvid.job.prepare import Painting, Prepared, prepare
from fastvid.job.progress import Progress
from fastvid.parallel.coordinator import Coordinator
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.heartbeat import Pulse
from fastvid.parallel.logs import log_to
from fastvid.parallel.mpi.communicator import FAILED_PATIENCE_S, Communicator, Kind
from fastvid.parallel.mpi.stopping import Deadline, signals_stop
from fastvid.parallel.segments import Segment, cut_into_segments
from fastvid.parallel.setup import StageFactory, real_stages
from fastvid.parallel.stretches import cut_into_stretches
from fastvid.parallel.worker import Worker
from fastvid.runfile.writer import to_json
from fastvid.stages.interface import Stage
from fastvid.stages.seam_report import SeamReport
from fastvid.system.clock import BusyClock
from fastvid.system.readahead import ReadAhead

# Segments decoded ahead: enough to hide a slow key frame, few enough for the memory of rank 0.
_DECODE_AHEAD_SEGMENTS = 4
# Rank 0 computes as long as decoding, messages, storing and encoding take less than this share of
# its cores; beyond it would hold up all others.
_COMPUTE_BELOW_LOAD = 0.5


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    outputs, run_files: one a style, in the order of the styles. frames_continued: those that an
    earlier run had finished. seconds: wall clock. stage_seconds: computing time by stage, over all
    ranks.
    """

    outputs: tuple[Path, ...]
    run_files: tuple[Path, ...]
    frames: int
    frames_continued: int
    shots: int
    seconds: float
    stage_seconds: dict[str, float] = field(default_factory=dict)


def run_job(
    options: StylizeOptions,
    comm: Communicator,
    progress: Progress,
    make_stages: StageFactory = real_stages,
) -> JobResult:
    """Repaints a video; called on rank 0 while the other ranks `serve`.

    Raises InputError for what the user can put right, before the other ranks are called where that
    is possible; StorageError, RemoteError for what goes wrong later; Stopped if the run was asked
    to stop. What is finished by then is kept in the run file.
    """
    began = time.monotonic()
    options.check()
    deadline = Deadline(comm, began, options.time_limit, options.grace)
    try:
        result = _attempt_either_way(options, comm, progress, make_stages, deadline)
    except Stopped as stop:
        stop.leave_by = deadline.leave_by()
        raise
    result = replace(result, seconds=time.monotonic() - began)
    if result.outputs:
        _summarize(result, comm, progress)
    return result


def _attempt_either_way(
    options: StylizeOptions,
    comm: Communicator,
    progress: Progress,
    make_stages: StageFactory,
    deadline: Deadline,
) -> JobResult:
    """Lets rank 0 decode for all where the others turn out to be unable to."""
    try:
        return _attempt(options, comm, progress, make_stages, deadline)
    except ReadingRefused as error:
        if options.decode != "auto":
            raise
        progress.note(f"{str(error).splitlines()[0]}; rank 0 decodes for all from here on")
        return _attempt(
            replace(options, decode="rank0", restart=False), comm, progress, make_stages, deadline
        )


def _attempt(
    options: StylizeOptions,
    comm: Communicator,
    progress: Progress,
    make_stages: StageFactory,
    deadline: Deadline,
) -> JobResult:
    """Repaints what is left to do. Raises what `run_job` does, and ReadingRefused."""
    comm.job += 1
    with ExitStack() as stack:
        stack.enter_context(signals_stop(comm))
        job = prepare(options, comm, progress, stack)
        if not job.paintings:
            progress.say(
                f"{options.output} is complete; nothing is left to do. --restart starts over."
            )
            return JobResult((), (), job.source.frame_count, job.source.frame_count, 0, 0.0)
        index = choose_decoding(options, job.source, comm, progress.note, deadline.check)
        stack.callback(_end_ranks, comm)
        return _compute(job, index, comm, progress, stack, make_stages, deadline)


def _end_ranks(comm: Communicator) -> None:
    comm.send_all(Kind.END)
    comm.drain(FAILED_PATIENCE_S)


def _timed(items: Iterable[tuple[Frame, bool]], clock: BusyClock) -> Iterator[tuple[Frame, bool]]:
    """Passes frames through; what decoding and cut detection take is added to `clock`."""
    iterator = iter(items)
    while True:
        with clock:
            item = next(iterator, None)
        if item is None:
            return
        yield item


def _compute(
    job: Prepared,
    index: SourceIndex | None,
    comm: Communicator,
    progress: Progress,
    stack: ExitStack,
    make_stages: StageFactory,
    deadline: Deadline,
) -> JobResult:
    options, source, total = job.options, job.source, job.source.frame_count
    for painting in job.paintings:
        if painting.writer.stored:
            progress.say(
                f"continuing {painting.run_path}: {len(painting.writer.stored)} of "
                f"{total} frames are there"
            )
    stack.enter_context(log_to(job.setup.log_dir, job.setup.log_level, comm))
    comm.send_all(Kind.SETUP, arrays=job.setup.arrays())
    if index is not None:
        comm.send_all(Kind.FILM, arrays=index_arrays(index))

    decoding = BusyClock()
    marked = _timed(marked_frames(source, options.cuts, index is not None), decoding)
    overlap = job.setup.settings.overlap
    cut = (
        cut_into_segments(marked, options.segment_length)
        if overlap is None
        else cut_into_stretches(marked, options.segment_length, overlap)
    )
    segments: ReadAhead[Segment] = ReadAhead(cut, depth=_DECODE_AHEAD_SEGMENTS, wake=comm.wake.set)
    stack.callback(segments.close)
    encoders = [_open_encoder(job, painting, stack) for painting in job.paintings]
    sink = FanOut(
        [
            Gatherer(
                painting.writer,
                encoder,
                discard=options.discard_frames,
                wake=comm.wake.set,
                shared=comm.size > 1 and not painting.plan.is_folder,
            )
            for painting, encoder in zip(job.paintings, encoders, strict=True)
        ]
    )
    stack.callback(sink.cancel)
    sink.start()
    engine = Engine(
        make_stages(replace(job.setup, local_rank=comm.local_rank)), comm.wake.set, overlap
    )
    stack.callback(engine.stop)
    engine.start()
    began, main_began = time.monotonic(), time.thread_time()

    def service_seconds() -> dict[str, float]:
        return {
            "decode": decoding.seconds,
            "store": sink.store_seconds(),
            "encode": sum(encoder.busy.seconds for encoder in encoders),
        }

    def may_compute_here() -> bool:
        if comm.size == 1:
            return True
        # By the processor: on a busy machine, or a slow disk, these threads mostly wait.
        busy = decoding.cpu_seconds + sink.cpu_seconds() + time.thread_time() - main_began
        busy += sum(encoder.busy.cpu_seconds for encoder in encoders)
        cores = comm.peers[comm.rank].cores
        return busy < _COMPUTE_BELOW_LOAD * cores * max(time.monotonic() - began, 1.0)

    coordinator = Coordinator(
        comm, segments, sink, options.keep, may_compute_here, ranks_read=index is not None
    )
    coordinator.seams = None if overlap is None else SeamReport(overlap.seam_frames)
    worker = Worker(
        comm, engine, job.setup.lookahead, options.keep, with_errors=overlap is not None
    )
    if index is not None:
        worker.read_film(index)
    pulse = Pulse(comm, engine, options.rank_timeout)

    def show() -> None:
        progress.update(sink.frames_stored, total, _shares(coordinator.stage_seconds))

    try:
        lead(comm, coordinator, worker, pulse, sink, deadline, show)
    except Stopped as stop:
        sink.cancel()
        done = min(len(painting.writer.stored) for painting in job.paintings)
        raise Stopped(
            f"{stop}: {done} of {total} frames are in "
            f"{', '.join(str(painting.run_path) for painting in job.paintings)}.\n"
            "The same command goes on from there."
        ) from None
    finally:
        show()
        progress.close()
    if 0 < coordinator.groups_dealt < comm.size:
        what = "segments" if overlap is None else "stretches (--overlap-segment)"
        progress.note(
            f"{comm.size} ranks had only {coordinator.groups_dealt} {what} to share; "
            "some stayed idle"
        )
    if coordinator.seams is not None and (seams := coordinator.seams.describe()):
        progress.note(seams)
    _end_ranks(comm)  # putting the output together may take long; nobody has to wait for it
    for note in (*source.late_notes, *source.damage):
        progress.warn(note)
    seconds = {stage.value: spent for stage, spent in coordinator.stage_seconds.items()}
    seconds.update(service_seconds())
    for painting, encoder in zip(job.paintings, encoders, strict=True):
        _finish(job, painting, encoder, progress, seconds)
    return JobResult(
        tuple(painting.output for painting in job.paintings),
        tuple(painting.run_path for painting in job.paintings),
        sink.frames_stored,
        sink.frames_continued,
        coordinator.shots,
        0.0,
        seconds,
    )


def _open_encoder(job: Prepared, painting: Painting, stack: ExitStack) -> EncoderThread:
    """The thread that encodes one style, with the parts that an earlier run has closed."""
    writer = painting.writer
    encoder = EncoderThread(
        painting.plan,
        part_folder(painting.plan.path),
        encoder_threads(job.setup.settings.threads, len(job.paintings)),
    )
    encoder.take_over(writer.has)
    if writer.encoded and encoder.next_frame <= max(writer.encoded):
        raise InputError(
            f"Parts in {encoder.folder} are gone, which held frames that "
            "--discard-frames freed.\nStart over with --restart."
        )

    def leave(kind: type[BaseException] | None, *_: object) -> bool:
        # Parts are for the run that goes on; without them discarded frames would be lost.
        if not (
            writer.encoded or (kind is not None and issubclass(kind, Stopped) and encoder.parts)
        ):
            clear_parts(encoder.folder)
        return False

    stack.push(leave)
    return encoder


def _finish(
    job: Prepared,
    painting: Painting,
    encoder: EncoderThread,
    progress: Progress,
    seconds: dict[str, float],
) -> None:
    """Puts the output of one style together and marks its run file as complete."""
    source = job.source
    span = (source.first_pts, source.end_pts) if job.span else None
    other_streams = None if source.stream_index is None else job.options.input
    # A part whose end was not known before knows it now. Whatever fails from here on, `encode` can
    # make the film of this run.
    painting.writer.set_attributes({"span": list(span) if span else [], "painted": True})
    for note in mux(
        painting.plan,
        [path for _, _, path in encoder.parts],
        source=other_streams,
        span=span,
        source_video_stream_index=source.stream_index,
        with_place=not job.options.no_location,
    ):
        progress.note(note)
    painting.writer.set_attributes(
        {
            "seconds": to_json({name: round(spent, 3) for name, spent in seconds.items()}),
            "complete": True,
        }
    )
    clear_parts(encoder.folder)


def _shares(stage_seconds: dict[Stage, float]) -> dict[str, float]:
    total = sum(stage_seconds.values())
    if not total:
        return {}
    return {stage.value: spent / total for stage, spent in stage_seconds.items()}


def _summarize(result: JobResult, comm: Communicator, progress: Progress) -> None:
    fresh = result.frames - result.frames_continued
    rate = fresh / result.seconds if result.seconds > 0 else 0.0
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.stage_seconds.items())
    ranks = "1 rank" if comm.size == 1 else f"{comm.size} ranks"
    progress.say(
        f"{result.frames} frames in {result.shots} shots on {ranks} in "
        f"{result.seconds:.1f} s ({rate:.2f} frames/s)"
    )
    progress.say(f"computing time: {spent}")
    for output, run_file in zip(result.outputs, result.run_files, strict=True):
        progress.say(f"video:    {output}\nrun file: {run_file}")
