"""The encoded parts and the source's other streams, packet by packet, into one container."""

from collections.abc import Iterator
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
from fastvid.encode.origin import late_start, source_clock, stream_clocks
from fastvid.encode.plan import OutputPlan
from fastvid.encode.side_streams import (
    Window,
    add_copies,
    choose_streams,
    copied_chapters,
    copied_packets,
    packet_time,
)
from fastvid.encode.sphere_file import add_sphere_boxes
from fastvid.encode.sphere_template import tagged_template
from fastvid.encode.stream import VideoClock, add_video
from fastvid.encode.tags import kept_tags, tag_options
from fastvid.encode.track import VideoTrack
from fastvid.system.files import CheckedFile

# A packet that a cut goes through begins before 0. In MP4 and MOV an edit list hides its first
# part; in Matroska it is left out, as its negative block times are for what the source has there.
_NEGATIVE_TIMES_AT_A_CUT = frozenset({"mp4", "mov"})
_LARGEST_TIMESCALE = 2**31 - 1
# libavformat doubles an MP4 track's time scale until it reaches this (movenc).
_SMALLEST_TRACK_TIMESCALE = 10000


@dataclass(frozen=True)
class Source:
    """Where the streams beside the video come from: a file.

    video_index: of the stream that was painted; None: the one that decoding chooses. kinds: the
    types of streams that are copied. with_place: also what tells where the film was made.
    """

    path: str
    video_index: int | None
    kinds: frozenset[str]
    with_place: bool = True


@dataclass
class _Side:
    """The opened source: its streams that are copied, with their clocks, and the one that was
    painted. tags: those of the whole film that are kept."""

    container: InputContainer
    painted: Stream
    streams: list[Stream]
    clocks: dict[int, StreamClock]
    tags: dict[str, str]


def write_container(
    plan: OutputPlan,
    parts: list[Path],
    file: CheckedFile,
    source: Source | None,
    span: tuple[int, int] | None,
) -> tuple[list[str], dict[str, str]]:
    """Writes the output into `file`, which stays open.

    Returns notes for the user, and the tags that the film should have.
    span: see `fastvid.encode.mux.mux`. Raises OSError or av.FFmpegError where that can't be done,
    StorageError if the parts are not what they should be, InputError if the source has gone bad.
    """
    track = VideoTrack(parts)
    notes: list[str] = []
    if span is None and track.start < 0:
        # Players drop what lies before 0.
        span = (track.start, track.end)
        notes.append(
            f"the video began at {float(track.start * plan.time_base):.3f} s; "
            "everything is shifted so that it begins at 0"
        )
    with ExitStack() as stack:
        side = None if source is None else _open_side(source, plan.container, stack, notes)
        streams = [] if side is None else side.streams
        tags = {} if side is None else side.tags
        with_place = source is None or source.with_place
        output = av.open(
            file,
            "w",
            format=plan.container,
            buffer_size=1 << 20,
            container_options=_muxer_options(plan, streams) | tag_options(tags, plan.container),
        )
        template = tagged_template(stack.enter_context(track.open_template()), plan, stack)
        painted = None if side is None else side.painted
        video = add_video(output, plan, template, painted, span is not None, with_place)
        copies = add_copies(output, streams, with_place)
        origin = span[0] if span else late_start(track.start, plan.time_base, streams)
        window = _window(plan, span, origin)
        if side is not None:
            output.metadata.update(tags)
            chapters = copied_chapters(side.container, window)
            output.set_chapters(chapters)  # type: ignore[arg-type]
        output.start_encoding()
        clock = VideoClock(plan, origin)
        early = span is None or plan.container in _NEGATIVE_TIMES_AT_A_CUT
        _interleave(
            output,
            ((clock.packet(timed), video) for timed in track.packets(origin)),
            (
                (packet, copies[packet.stream_index])
                for packet in _side_packets(side, window, early, notes)
            ),
        )
        output.close()
        sphere = add_sphere_boxes(file, plan, video, side.container if side else None, copies)
    return notes + clock.notes() + sphere, tags


def _open_side(source: Source, muxer: str, stack: ExitStack, notes: list[str]) -> _Side:
    """Opens the source; `stack` closes it. What is left out of it is added to `notes`."""
    container = stack.enter_context(open_container(source.path))
    if source.video_index is None:
        painted: Stream = best_video_stream(container, source.path)
    else:
        painted = container.streams[source.video_index]
    streams, left_out = choose_streams(container, painted, muxer, source.kinds, source.with_place)
    notes += left_out
    clocks = stream_clocks(streams, source_clock(source.path) if streams else [])
    return _Side(
        container, painted, streams, clocks, kept_tags(container.metadata, source.with_place)
    )


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
    side: _Side | None, window: Window | None, negative_times: bool, notes: list[str]
) -> Iterator["av.Packet[Stream]"]:
    """The packets beside the video; where the source is damaged they end, with a note."""
    if side is None:
        return
    last = Fraction(0)
    try:
        for packet in copied_packets(
            side.container, side.streams, window, negative_times, side.clocks
        ):
            last = packet_time(packet) or last
            yield packet
    except av.FFmpegError as error:
        notes.append(
            f"the sound and the other streams end after {float(last):.2f} s, "
            f"where {side.container.name} is damaged ({error.strerror})"
        )


def _interleave(
    output: OutputContainer,
    video: Iterator[tuple["av.Packet[Stream]", Stream]],
    others: Iterator[tuple["av.Packet[Stream]", Stream]],
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


def _mux_one(output: OutputContainer, packet: "av.Packet[Stream]", stream: Stream) -> None:
    packet.stream = stream
    output.mux_one(packet)
