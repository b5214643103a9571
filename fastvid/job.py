"""A job from beginning to end, as rank 0 runs it. `_compute` reads like the data's way:

    decode -> deal -> flow + occlusion + stylize -> temporal pass -> gather -> HDF5 -> encode
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from fastvid.encode_thread import (PART_FRAMES, EncoderThread, clear_parts, part_folder,
                                   remove_leftovers)
from fastvid.errors import InputError, Stopped
from fastvid.estimate import check_disk, check_memory
from fastvid.gather import Gatherer
from fastvid.options import StylizeOptions
from fastvid.parallel.communicator import FAILED_PATIENCE_S, Communicator, Kind
from fastvid.parallel.coordinator import Coordinator
from fastvid.logs import log_to
from fastvid.parallel.engine import Engine
from fastvid.parallel.lead import lead
from fastvid.parallel.pulse import Pulse
from fastvid.parallel.segments import Segment, cut_into_segments
from fastvid.parallel.serve import JobSetup, StageFactory, real_stages
from fastvid.parallel.stopping import Deadline, signals_stop
from fastvid.parallel.worker import Worker
from fastvid.progress import Progress
from fastvid.resources import processor_name
from fastvid.runfile.identity import (open_run, picture_software, previous_settings,
                                      run_attributes)
from fastvid.runfile.lock import RunLock
from fastvid.runfile.writer import RunWriter, to_json
from fastvid.settings import PictureSettings, run_identity
from fastvid.stages import Stage
from fastvid.style.registry import load_style, read_style
from fastvid.video.cuts import mark_cuts
from fastvid.video.decode import VideoSource, fingerprint, open_source
from fastvid.video.encode import OutputPlan, plan_output
from fastvid.video.frame import Frame
from fastvid.video.mux import mux
from fastvid.video.readahead import ReadAhead

# Segments decoded ahead: enough to hide a slow key frame, few enough for the memory of rank 0.
_DECODE_AHEAD_SEGMENTS = 4
# Rank 0 computes as long as decoding, storing and encoding keep it busy for less than this share of
# the time; beyond it would hold up all others.
_COMPUTE_BELOW_LOAD = 0.5
_ENCODER_THREADS_MAX = 4


@dataclass(frozen=True)
class JobResult:
    """What came of a job. seconds: wall clock. stage_seconds: computing time by stage, all
    ranks."""

    output: Path
    run_file: Path
    frames: int
    frames_continued: int
    shots: int
    seconds: float
    stage_seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class _Job:
    """What has been opened and checked before the ranks are called."""

    options: StylizeOptions
    source: VideoSource
    plan: OutputPlan
    setup: JobSetup
    writer: RunWriter
    span: tuple[int, int] | None


def run_job(options: StylizeOptions, comm: Communicator, progress: Progress,
            make_stages: StageFactory = real_stages) -> JobResult:
    """Repaints a video; called on rank 0 while the other ranks `serve`.

    Raises InputError for what the user can put right, before the other ranks are called where that
    is possible; StorageError, RemoteError for what goes wrong later. What is finished by then is
    kept in the run file.
    """
    began = time.monotonic()
    options.check()
    comm.job += 1
    deadline = Deadline(comm, began, options.time_limit, options.grace)
    with ExitStack() as stack:
        stack.enter_context(signals_stop(comm))
        job = _prepare(options, comm, progress, stack)
        if _already_complete(job):
            progress.say(f"{options.output} and {options.run_path} are complete; nothing is left "
                         "to do. --restart starts over.")
            return JobResult(options.output, options.run_path, len(job.writer.stored),
                             len(job.writer.stored), 0, time.monotonic() - began)
        stack.callback(_end_ranks, comm)
        result = _compute(job, comm, progress, stack, make_stages, deadline)
    result = JobResult(**{**vars(result), "seconds": time.monotonic() - began})
    _summarize(result, comm, progress)
    return result


def _prepare(options: StylizeOptions, comm: Communicator, progress: Progress,
             stack: ExitStack) -> _Job:
    style_name, style_data = read_style(options.style)
    style = load_style(style_data, style_name)
    source = stack.enter_context(open_source(
        str(options.input), size=options.size, frames=options.frames, fps=options.fps,
        on_error=options.on_error))
    info = source.info
    _check_places(options)
    plan = plan_output(options.output, info=info, codec=options.codec, crf=options.crf,
                       preset=options.preset, source=options.input, overwrite=options.overwrite)
    check_memory(info, options, style.memory_bytes(info.height, info.width), comm.peers)
    stack.enter_context(RunLock(options.run_path))
    previous = previous_settings(options.run_path, options.restart)
    if previous is None and options.output.is_file() and not options.overwrite:
        raise InputError(f"{options.output} exists already and no run file beside it says that it "
                         "is ours.\nUse --overwrite to replace it, or another -o.")
    settings = _picture_settings(options, comm, previous)
    input_sha256 = fingerprint(str(options.input))
    identity = run_identity(options, settings, software=picture_software(),
                            input_sha256=input_sha256, style_sha256=style.sha256,
                            size=(info.width, info.height),
                            encoding=(plan.codec, plan.crf, plan.preset))
    span = (source.first_pts, source.end_pts) if options.frames else None
    attributes = run_attributes(
        info, frame_count=source.frame_count, stream_index=source.stream_index, span=span,
        style_name=style_name, style_sha256=style.sha256, input_sha256=input_sha256,
        ranks=comm.size, threads=settings.threads)
    if previous is None:
        check_disk(info, options, stored_frames=0)
    writer = open_run(options.run_path, previous, identity, attributes, info, options.keep,
                      options.compression)
    stack.callback(_close_run, writer)
    if previous is not None:
        check_disk(info, options, stored_frames=len(writer.stored))
    for note in (*info.notes, *plan.notes):
        progress.note(note)
    remove_leftovers(plan.path)
    setup = JobSetup(
        settings, style_name, style_data, options.lookahead, options.keep, options.rank_timeout,
        str(options.log_dir.absolute()) if options.log_dir else None, options.log_level)
    return _Job(options, source, plan, setup, writer, span)


def _check_places(options: StylizeOptions) -> None:
    """Raises InputError if the run file would be the input or the output."""
    run_path = options.run_path.absolute()
    for name, path in (("input", options.input), ("output", options.output)):
        if run_path == path.absolute():
            raise InputError(f"The run file {options.run_path} is the {name}. Give it another name "
                             "with --run-file.")
    if not run_path.parent.is_dir():
        raise InputError(f"There is no folder {run_path.parent} for the run file. Create it, or "
                         "use another --run-file.")


def _picture_settings(options: StylizeOptions, comm: Communicator,
                      previous: dict | None) -> PictureSettings:
    """The settings of this run. A continued run takes its threads from the file, whatever the
    ranks."""
    threads = options.threads or min(peer.cores for peer in comm.peers)
    if previous is not None and options.threads is None:
        threads = int(previous.get("threads", threads))
    return PictureSettings(
        flow=options.flow,
        flow_scale=options.flow_scale,
        mask_boundaries=options.mask_boundaries,
        temporal_strength=options.temporal_strength,
        strength=options.strength,
        keep_colors=options.keep_colors,
        threads=threads,
        processor=processor_name(),
    )


def _already_complete(job: _Job) -> bool:
    there = job.options.output.exists()
    return job.writer.complete and (there or bool(job.writer.encoded))


def _close_run(writer: RunWriter) -> None:
    """Closes the run file; one without a single frame is not worth keeping."""
    empty = not writer.stored
    writer.close()
    if empty:
        writer.path.unlink(missing_ok=True)


def _end_ranks(comm: Communicator) -> None:
    comm.send_all(Kind.END)
    comm.drain(FAILED_PATIENCE_S)


class _TimedFrames:
    """Passes frames through and counts the seconds that decoding and cut detection took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, items: Iterable[tuple[Frame, bool]]) -> Iterator[tuple[Frame, bool]]:
        """Each item, with the time that it took to come added up."""
        iterator = iter(items)
        while True:
            began = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - began
            yield item


def _compute(job: _Job, comm: Communicator, progress: Progress, stack: ExitStack,
             make_stages: StageFactory, deadline: Deadline) -> JobResult:
    options, source, writer = job.options, job.source, job.writer
    total = source.frame_count
    if writer.stored:
        progress.say(f"continuing {options.run_path}: {len(writer.stored)} of {total} frames are "
                     "there")
    stack.enter_context(log_to(job.setup.log_dir, job.setup.log_level, comm))
    comm.send_all(Kind.SETUP, arrays=job.setup.arrays())

    decoding = _TimedFrames()
    marked = decoding.timed(mark_cuts(source, options.cuts))
    segments: ReadAhead[Segment] = ReadAhead(cut_into_segments(marked, options.segment_length),
                                             depth=_DECODE_AHEAD_SEGMENTS)
    stack.callback(segments.close)
    encoder = _open_encoder(job, stack)
    gatherer = Gatherer(writer, encoder, discard=options.discard_frames, wake=comm.wake)
    stack.callback(gatherer.cancel)
    gatherer.start()
    engine = Engine(make_stages(job.setup), comm.wake)
    stack.callback(engine.stop)
    engine.start()
    began = time.monotonic()

    def may_compute_here() -> bool:
        elapsed = time.monotonic() - began
        load = (decoding.seconds + gatherer.busy_seconds()) / max(elapsed, 1.0)
        return comm.size == 1 or load < _COMPUTE_BELOW_LOAD

    coordinator = Coordinator(comm, segments, gatherer, options.keep, may_compute_here)
    worker = Worker(comm, engine, options.lookahead, options.keep)
    pulse = Pulse(comm, engine, options.rank_timeout)

    def show() -> None:
        progress.update(gatherer.frames_stored, total, _shares(coordinator.stage_seconds))

    try:
        lead(comm, coordinator, worker, pulse, gatherer, deadline, show)
    except Stopped as stop:
        gatherer.cancel()
        raise Stopped(f"{stop}: {len(writer.stored)} of {total} frames are in {options.run_path}.\n"
                      "The same command goes on from there.") from None
    finally:
        show()
        progress.close()
    if coordinator.segments_dealt < comm.size:
        progress.note(f"{comm.size} ranks had only {coordinator.segments_dealt} segments to share; "
                      "some stayed idle")
    _end_ranks(comm)  # putting the output together may take long; nobody has to wait for it
    _finish(job, encoder, progress)
    seconds = {stage.value: spent for stage, spent in coordinator.stage_seconds.items()}
    seconds.update(decode=decoding.seconds, store=gatherer.seconds, encode=encoder.seconds)
    writer.set_attributes({"seconds": to_json({k: round(v, 3) for k, v in seconds.items()}),
                           "complete": True})
    return JobResult(options.output, options.run_path, gatherer.frames_stored,
                     gatherer.frames_continued, coordinator.shots, 0.0, seconds)


def _open_encoder(job: _Job, stack: ExitStack) -> EncoderThread:
    """The thread that encodes, with the parts that an earlier run has closed."""
    options, writer = job.options, job.writer
    folder = part_folder(job.plan.path)
    encoded = max(writer.encoded) + 1 if writer.encoded else 0
    encoder = EncoderThread(job.plan, folder, min(job.setup.settings.threads, _ENCODER_THREADS_MAX),
                            PART_FRAMES if options.discard_frames else None)
    if encoded:
        encoder.take_over(encoded)
    else:
        clear_parts(folder)
    folder.mkdir(exist_ok=True)
    # Parts are of use to a later run only where their frames were discarded.
    stack.callback(lambda: None if writer.encoded else clear_parts(folder))
    return encoder


def _finish(job: _Job, encoder: EncoderThread, progress: Progress) -> None:
    """Puts the output together."""
    source, plan = job.source, job.plan
    for note in (*source.late_notes, *source.damage):
        progress.warn(note)
    span = (source.first_pts, source.end_pts) if job.span else None
    other_streams = None if source.stream_index is None else job.options.input
    for note in mux(plan, [path for _, _, path in encoder.parts], source=other_streams, span=span,
                    source_video_stream_index=source.stream_index):
        progress.note(note)
    # A part whose end was not known before knows it now.
    job.writer.set_attributes({"span": list(span) if span else []})
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
    progress.say(f"{result.frames} frames in {result.shots} shots on {ranks} in "
                 f"{result.seconds:.1f} s ({rate:.2f} frames/s)")
    progress.say(f"computing time: {spent}")
    progress.say(f"video:    {result.output}\nrun file: {result.run_file}")
