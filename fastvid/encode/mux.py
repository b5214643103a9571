"""The encoded parts and the source's other streams, packet by packet, into the final file."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from fastvid.decode.clock import StreamClock
from fastvid.decode.container import best_video_stream, open_container
from fastvid.encode.images import assemble_folder, first_time
from fastvid.encode.origin import late_start, late_start_of, source_clock, stream_clocks
from fastvid.encode.plan import OutputPlan
from fastvid.encode.side_streams import (
    Window,
    add_copies,
    choose_streams,
    copied_chapters,
    copied_packets,
    packet_time,
)
from fastvid.encode.stream import VideoClock, add_video
from fastvid.encode.tags import kept_tags, lost_tags, tag_options
from fastvid.encode.track import VideoTrack
from fastvid.errors import StorageError
from fastvid.system.storage import CheckedFile, storage_errors, sync_folder

# A packet that a cut goes through begins before 0. In MP4 and MOV an edit list hides its first
# part; in Matroska it is left out, as its negative block times are for what the source has there.
_NEGATIVE_TIMES_AT_A_CUT = frozenset({"mp4", "mov"})
# What is copied, then what is tried if libavformat breaks off over one of those streams: the work
# of hours is not to be lost over a data track.
_COPIED = (
    frozenset({"audio", "subtitle", "data", "attachment"}),
    frozenset({"audio", "subtitle"}),
    frozenset({"audio"}),
    frozenset[str](),
)
_LARGEST_TIMESCALE = 2**31 - 1
# libavformat doubles an MP4 track's time scale until it reaches this (movenc).
_SMALLEST_TRACK_TIMESCALE = 10000


def mux(
    plan: OutputPlan,
    parts: Sequence[str | Path],
    *,
    source: str | Path | None = None,
    span: tuple[int, int] | None = None,
    source_video_stream_index: int | None = None,
    with_place: bool = True,
) -> list[str]:
    """Writes the output of a run; it appears under its name only when it is complete.

    parts: the closed parts of `open_encoder`, in order. They are not deleted.
    source: where sound, subtitles, attachments, chapters and tags come from; None, or a folder of
        images: nowhere. source_video_stream_index: of the stream that was painted; None: the
        one that decoding chooses.
    span: (first pts, end pts) in the video's time base if only a part of the video was chosen:
        the other streams are cut to it, and all is shifted so that it begins at 0. None: the
        whole film, whose picture or sound, whichever is first, begins at 0 if it began later.
    with_place: False leaves out where the film was made: tags, and data tracks of cameras.
    Returns notes for the user: what was left out or rounded. Raises StorageError (disk full,
    parts missing) and leaves nothing half-made then, InputError if the source has gone bad.
    """
    paths = [Path(part) for part in parts]
    if plan.is_folder:
        first = span[0] if span else late_start_of(first_time(paths), plan.time_base, source)
        assemble_folder(plan.path, paths, plan.time_base, first)
        return []
    failure: av.FFmpegError | None = None
    for kinds in _COPIED if source is not None else _COPIED[-1:]:
        try:
            job = _Job(plan, paths, source, span, source_video_stream_index, kinds, with_place)
            return _write_safely(job)
        except av.FFmpegError as error:
            failure = error
    assert failure is not None
    raise StorageError(
        f"can't write {plan.path}: {failure.strerror}; encode again from the run "
        "file into an .mkv (python -m fastvid encode)"
    ) from failure


@dataclass(frozen=True)
class _Job:
    """What is to be written; see `mux`. kinds: of streams that are copied."""

    plan: OutputPlan
    parts: list[Path]
    source: str | Path | None
    span: tuple[int, int] | None
    video_index: int | None
    kinds: frozenset[str]
    with_place: bool


def _write_safely(job: _Job) -> list[str]:
    """Writes beside the output, then renames. Raises StorageError or av.FFmpegError."""
    plan = job.plan
    temporary = plan.path.with_name(f".{plan.path.name}.part-{os.getpid()}")
    with storage_errors(temporary):
        file = CheckedFile(temporary)
    try:
        notes, tags = _write(job, file)
        file.finish()
        notes += lost_tags(temporary, tags, plan.path.suffix)
        with storage_errors(plan.path):
            os.replace(temporary, plan.path)
    except (OSError, av.FFmpegError):
        # PyAV raises the failed write itself or an error of its own.
        file.raise_first_error()
        raise
    finally:
        file.discard()
        temporary.unlink(missing_ok=True)
    sync_folder(plan.path.parent)
    return notes


def _write(job: _Job, file: CheckedFile) -> tuple[list[str], dict[str, str]]:
    """Returns notes, and the tags that the film should have."""
    plan, source, span = job.plan, job.source, job.span
    track = VideoTrack(job.parts)
    notes: list[str] = []
    early_notes: list[str] = []
    if span is None and track.start < 0:
        # Players drop what lies before 0.
        span = (track.start, track.end)
        early_notes = [
            f"the video began at {float(track.start * plan.time_base):.3f} s; "
            "everything is shifted so that it begins at 0"
        ]
    with ExitStack() as stack:
        side: InputContainer | None = None
        painted: Stream | None = None
        streams: list[Stream] = []
        offsets: list[Fraction] = []
        tags: dict[str, str] = {}
        if source is not None and not Path(source).is_dir():
            side = stack.enter_context(open_container(str(source)))
            painted = (
                best_video_stream(side, str(source))
                if job.video_index is None
                else side.streams[job.video_index]
            )
            streams, notes = choose_streams(
                side, painted, plan.container, job.kinds, job.with_place
            )
            tags = kept_tags(side.metadata, job.with_place)
            offsets = source_clock(source) if streams else []
        output = av.open(
            file,
            "w",
            format=plan.container,
            buffer_size=1 << 20,
            container_options=_muxer_options(plan, streams) | tag_options(tags, plan.container),
        )
        template = stack.enter_context(track.open_template())
        video = add_video(output, plan, template, painted, span is not None, job.with_place)
        copies = add_copies(output, streams, job.with_place)
        origin = span[0] if span else late_start(track.start, plan.time_base, streams)
        window = _window(plan, span, origin)
        if side is not None:
            output.metadata.update(tags)
            output.set_chapters(copied_chapters(side, window))  # type: ignore[arg-type]
        output.start_encoding()
        clock = VideoClock(plan, origin)
        others = _side_packets(
            side,
            streams,
            window,
            span is None or plan.container in _NEGATIVE_TIMES_AT_A_CUT,
            stream_clocks(streams, offsets),
            notes,
        )
        _interleave(
            output,
            ((clock.packet(timed), video) for timed in track.packets(origin)),
            ((packet, copies[packet.stream_index]) for packet in others),
        )
        output.close()
        notes += clock.notes()
    return early_notes + notes, tags


def _muxer_options(plan: OutputPlan, streams: list[Stream]) -> dict[str, str]:
    # All times are right as they are; libavformat is not to shift them.
    options = {"avoid_negative_ts": "disabled"}
    if plan.container in ("mp4", "mov"):
        # Offsets at the start are stored in units of the whole movie, by default milliseconds.
        scale = plan.time_base.denominator
        while scale < _SMALLEST_TRACK_TIMESCALE:
            scale *= 2
        for stream in streams:
            rate = getattr(stream.codec_context, "sample_rate", None) or 1
            if lcm(scale, rate) <= _LARGEST_TIMESCALE:
                scale = lcm(scale, rate)
        options["movie_timescale"] = str(scale)
    return options


def _window(plan: OutputPlan, span: tuple[int, int] | None, origin: int) -> Window | None:
    if span is not None:
        return Window(span[0] * plan.time_base, span[1] * plan.time_base)
    return Window(origin * plan.time_base, None) if origin else None


def _side_packets(
    side: InputContainer | None,
    streams: list[Stream],
    window: Window | None,
    negative_times: bool,
    clocks: dict[int, StreamClock],
    notes: list[str],
) -> Iterator[av.Packet]:
    """The packets beside the video; where the source is damaged they end, with a note."""
    if side is None:
        return
    last = Fraction(0)
    try:
        for packet in copied_packets(side, streams, window, negative_times, clocks):
            last = packet_time(packet) or last
            yield packet
    except av.FFmpegError as error:
        notes.append(
            f"the sound and the other streams end after {float(last):.2f} s, "
            f"where {side.name} is damaged ({error.strerror})"
        )


def _interleave(
    output: OutputContainer,
    video: Iterator[tuple[av.Packet, Stream]],
    others: Iterator[tuple[av.Packet, Stream]],
) -> None:
    """Writes both by decoding time, so that libavformat has little to hold back."""
    waiting = next(others, None)
    for packet, stream in video:
        time = packet_time(packet)
        while waiting is not None:
            other_time = packet_time(waiting[0])
            if other_time is not None and time is not None and other_time > time:
                break
            _mux_one(output, *waiting)
            waiting = next(others, None)
        _mux_one(output, packet, stream)
    while waiting is not None:
        _mux_one(output, *waiting)
        waiting = next(others, None)


def _mux_one(output: OutputContainer, packet: av.Packet, stream: Stream) -> None:
    packet.stream = stream
    output.mux_one(packet)
