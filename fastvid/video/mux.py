"""The encoded parts and the source's other streams, packet by packet, into the final file."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from math import lcm
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from fastvid.errors import StorageError
from fastvid.video.container import best_video_stream, open_container
from fastvid.video.encode import OutputPlan
from fastvid.video.image_sink import assemble_folder
from fastvid.video.side_streams import (Window, add_copies, choose_streams, copied_chapters,
                                        copied_packets, kept_tags, packet_time,
                                        stream_tags)
from fastvid.video.storage import CheckedFile, storage_errors, sync_folder
from fastvid.video.video_encoder import tag_stream
from fastvid.video.video_track import TimedPacket, VideoTrack

# A packet that a cut goes through begins before 0. In MP4 and MOV an edit list hides its first
# part; in Matroska it is left out, as its negative block times are for what the source has there.
_NEGATIVE_TIMES_AT_A_CUT = frozenset({"mp4", "mov"})
# Containers with one clock for all streams, in whole milliseconds.
_MILLISECOND_MUXERS = frozenset({"matroska", "webm"})
_LARGEST_TIMESCALE = 2**31 - 1
# libavformat doubles an MP4 track's time scale until it reaches this (movenc).
_SMALLEST_TRACK_TIMESCALE = 10000


def mux(plan: OutputPlan, parts: Sequence[str | Path], *, source: str | Path | None = None,
        span: tuple[int, int] | None = None,
        source_video_stream_index: int | None = None) -> list[str]:
    """Writes the output of a run; it appears under its name only when it is complete.

    parts: the closed parts of `plan.open_encoder`, in order. They are not deleted.
    source: where sound, subtitles, attachments, chapters and tags come from; None, or a folder of
        images: nowhere. source_video_stream_index: of the stream that was painted; None: the
        one that decoding chooses.
    span: (first pts, end pts) in the video's time base if only a part of the video was chosen:
        the other streams are cut to it, and all is shifted so that it begins at 0. None keeps
        all times as they are, also a start that is not 0.
    Returns notes for the user: what was left out or rounded. Raises StorageError (disk full,
    parts missing) and leaves nothing half-made then, InputError if the source has gone bad.
    """
    paths = [Path(part) for part in parts]
    if plan.is_folder:
        assemble_folder(plan.path, paths, plan.time_base, span[0] if span else None)
        return []
    temporary = plan.path.with_name(f".{plan.path.name}.part-{os.getpid()}")
    with storage_errors(plan.path):
        file = CheckedFile(temporary)
        try:
            notes = _write(plan, paths, file, source, span, source_video_stream_index)
            file.finish()
            os.replace(temporary, plan.path)
        except av.FFmpegError as error:
            file.raise_first_error()
            raise StorageError(f"can't write {plan.path}: {error.strerror}; "
                               "encode again from the run file into an .mkv "
                               "(python -m fastvid encode)") from error
        finally:
            file.discard()
    sync_folder(plan.path.parent)
    return notes


def _write(plan: OutputPlan, parts: list[Path], file: CheckedFile, source: str | Path | None,
           span: tuple[int, int] | None, video_index: int | None) -> list[str]:
    track = VideoTrack(parts)
    notes: list[str] = []
    early_notes: list[str] = []
    if span is None and track.start < 0:
        # Players drop what lies before 0.
        span = (track.start, track.end)
        early_notes = [f"the video began at {float(track.start * plan.time_base):.3f} s; "
                       "everything is shifted so that it begins at 0"]
    with ExitStack() as stack:
        side: InputContainer | None = None
        painted: Stream | None = None
        streams: list[Stream] = []
        if source is not None and not Path(source).is_dir():
            side = stack.enter_context(open_container(str(source)))
            painted = (best_video_stream(side, str(source)) if video_index is None
                       else side.streams[video_index])
            streams, notes = choose_streams(side, painted, plan.container)
        output = av.open(file, "w", format=plan.container, buffer_size=1 << 20,
                         container_options=_muxer_options(plan, streams))
        template = stack.enter_context(track.open_template())
        video = _add_video(output, plan, template, painted)
        copies = add_copies(output, streams)
        window = _window(plan, span)
        if side is not None:
            output.metadata.update(kept_tags(side.metadata))
            output.set_chapters(copied_chapters(side, window))  # type: ignore[arg-type]
        output.start_encoding()
        clock = _VideoClock(plan, track, span)
        others = _side_packets(side, streams, window,
                               window is None or plan.container in _NEGATIVE_TIMES_AT_A_CUT, notes)
        _interleave(output, ((clock.packet(timed), video) for timed in track.packets()),
                    ((packet, copies[packet.stream_index]) for packet in others))
        output.close()
        notes += clock.notes()
    return early_notes + notes


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


def _add_video(output: OutputContainer, plan: OutputPlan, template: InputContainer,
               painted: Stream | None) -> Stream:
    # A stream made from a template has no frame rate, without which Matroska players guess one.
    # So its parameters, colour tags included, go through a container that is thrown away.
    scratch = av.open(io.BytesIO(), "w", format="null")
    tagged = scratch.add_stream_from_template(template.streams.video[0], opaque=True)
    tag_stream(tagged.codec_context, plan)
    if plan.codec == "libx265" and plan.container in ("mp4", "mov"):
        # Apple's players open HEVC under this tag only.
        tagged.codec_context.codec_tag = "hvc1"
    scratch.start_encoding()
    video = output.add_mux_stream(plan.codec, rate=plan.average_rate)
    BitStreamFilterContext("null", in_stream=tagged, out_stream=video)
    video.time_base = plan.time_base
    if painted is not None:
        video.metadata.update(stream_tags(painted, plan.container))
        video.disposition = painted.disposition
    return video


def _window(plan: OutputPlan, span: tuple[int, int] | None) -> Window | None:
    if span is None:
        return None
    return Window(span[0] * plan.time_base, span[1] * plan.time_base)


class _VideoClock:
    """Gives the packets of the video their times in the output."""

    def __init__(self, plan: OutputPlan, track: VideoTrack, span: tuple[int, int] | None) -> None:
        self._plan = plan
        self._origin = span[0] if span else 0
        self._worst_ms = Fraction(0)

    def packet(self, timed: TimedPacket) -> av.Packet:
        source = timed.packet
        packet = av.Packet(source.data)
        packet.is_keyframe = source.is_keyframe
        packet.time_base = self._plan.time_base
        packet.pts, packet.dts = source.pts - self._origin, timed.dts - self._origin
        packet.duration = timed.duration
        if self._plan.container in _MILLISECOND_MUXERS:
            time_ms = packet.pts * self._plan.time_base * 1000
            self._worst_ms = max(self._worst_ms, abs(time_ms - round(time_ms)))
        return packet

    def notes(self) -> list[str]:
        if not self._worst_ms:
            return []
        return [f"{self._plan.path.suffix} holds whole milliseconds only: times are rounded by up "
                f"to {float(self._worst_ms):.2g} ms; .mp4 and .mov keep them exactly"]


def _side_packets(side: InputContainer | None, streams: list[Stream], window: Window | None,
                  negative_times: bool, notes: list[str]) -> Iterator[av.Packet]:
    """The packets beside the video; where the source is damaged they end, with a note."""
    if side is None:
        return
    last = Fraction(0)
    try:
        for packet in copied_packets(side, streams, window, negative_times):
            last = packet_time(packet) or last
            yield packet
    except av.FFmpegError as error:
        notes.append(f"the sound and the other streams end after {float(last):.2f} s, "
                     f"where {side.name} is damaged ({error.strerror})")


def _interleave(output: OutputContainer, video: Iterator[tuple[av.Packet, Stream]],
                others: Iterator[tuple[av.Packet, Stream]]) -> None:
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
