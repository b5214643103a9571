"""Reads a file once without decoding: which pictures it has, when, and what is cut off."""

from array import array
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from fastvid.decode.clock import StreamClock, bridged_packets, nominal_period
from fastvid.decode.container import (
    best_video_stream,
    cut_short_hint,
    file_size,
    open_container,
    reason,
)
from fastvid.decode.first_pictures import LEADING_KNOWN, decodable_leading, times_step_back
from fastvid.decode.timeline import (
    NO_TIME,
    PacketTable,
    Timeline,
    build_timeline,
    counted_timeline,
    leading_times,
    with_lost_tail,
    with_missing_frames,
)
from fastvid.decode.truncation import ends_early
from fastvid.errors import InputError

# Demuxers of broadcasts and bare streams, which may begin anywhere.
_STARTS_ANYWHERE = frozenset({"mpegts", "mpeg", "mpegvideo", "h264", "hevc", "vvc"})
# Jumps of the clock that are named before "and N times more".
_NAMED_JUMPS = 5
# A header may claim any duration; one lost frame a byte is more than any file can have lost.
_MAX_LOST_PER_BYTE = 1


@dataclass(frozen=True)
class Scan:
    """What one pass over the packets of a file's video stream found.

    rate: nominal frames per second. packet_count: how many packets are worth decoding.
    cut_short: "" or how it shows that the file ends too early. show_all: pictures that the
        container marks as not to be shown are frames as well.
    """

    stream_index: int
    time_base: Fraction
    rate: Fraction
    timeline: Timeline
    packet_count: int
    cut_short: str
    show_all: bool = False

    @property
    def frame_period(self) -> Fraction:
        """Nominal frame duration in units of the time base."""
        return 1 / (self.rate * self.time_base)


def is_picture(packet: "Packet[VideoStream]", codec_name: str) -> bool:
    """False for packets that never give a frame: empty ones, those before the start of an edit,
    and VP8's invisible reference frames."""
    return not packet.is_discard and _has_picture(packet, codec_name)


def _has_picture(packet: "Packet[VideoStream]", codec_name: str) -> bool:
    """Whether a picture comes of it if it is to be shown (RFC 6386, 9.1: bit 4 of VP8's frame tag
    is show_frame)."""
    if packet.size == 0:
        return False
    return codec_name != "vp8" or bool(memoryview(packet)[0] & 0x10)


def scan_file(path: str) -> Scan:
    """Counts the pictures of the best video stream. Raises InputError if the file has none."""
    with open_container(path) as container:
        stream = best_video_stream(container, path)
        packets, clock, count, failure = _collect(container, stream)
        time_base = stream.time_base or Fraction(1, 90000)
        rate = 1 / nominal_period(stream)
        period = 1 / (rate * time_base)
        starts_anywhere = container.format.name in _STARTS_ANYWHERE
        show_all = packets.in_decoding_order and _steps_back(path, stream, count)
        if show_all:
            timeline = counted_timeline(packets, period)
        else:
            decodable = _decodable(path, stream, packets, count, starts_anywhere)
            timeline = build_timeline(packets, period, starts_anywhere, decodable)
        if not len(timeline):
            raise InputError(f"{path}: its video stream has no frames" + cut_short_hint(path))
        timeline = replace(timeline, notes=timeline.notes + _jump_notes(clock, timeline, time_base))
        if not failure and ends_early(path):
            failure = "the file ends before its container does"
        if failure:
            timeline, failure = _with_lost_frames(path, stream, timeline, period, failure)
        return Scan(stream.index, time_base, rate, timeline, count, failure, show_all)


def _steps_back(path: str, stream: VideoStream, packet_count: int) -> bool:
    """Whether pictures change places on decoding although their packets' times say otherwise."""
    return stream.codec_context.has_b_frames and times_step_back(path, packet_count)


def _decodable(
    path: str, stream: VideoStream, packets: PacketTable, packet_count: int, starts_anywhere: bool
) -> frozenset[int]:
    """Times of the pictures shown before the first key frame that can be decoded."""
    leading = leading_times(packets, starts_anywhere)
    if not leading or stream.codec_context.name not in LEADING_KNOWN:
        return frozenset()
    return decodable_leading(path, packet_count, leading)


def _jump_notes(clock: StreamClock, timeline: Timeline, time_base: Fraction) -> tuple[str, ...]:
    if not clock.jumps:
        return ()
    places = [f"{float(at - timeline.time(0) * time_base):.2f}" for at in clock.jumps]
    more = f" and {len(places) - _NAMED_JUMPS} times more" if len(places) > _NAMED_JUMPS else ""
    return (
        f"its clock jumps at {', '.join(places[:_NAMED_JUMPS])} s{more}, as where recordings were "
        "joined; the film goes on there without a gap",
    )


def _collect(
    container: av.container.InputContainer, stream: VideoStream
) -> tuple[PacketTable, StreamClock, int, str]:
    """The packets, their clock, how many are whole, and why reading ended too early ("" if it did
    not)."""
    pts, dts, duration = array("q"), array("q"), array("q")
    keyframe, shown = bytearray(), bytearray()
    count, partial, failure = 0, False, ""
    codec_name = stream.codec_context.name
    packets, clock = bridged_packets(container, stream, nominal_period(stream))
    try:
        for packet in packets:
            if packet.size == 0:
                continue
            count += 1
            partial = packet.is_corrupt
            if _has_picture(packet, codec_name):
                pts.append(NO_TIME if packet.pts is None else packet.pts)
                dts.append(NO_TIME if packet.dts is None else packet.dts)
                duration.append(packet.duration or 0)
                keyframe.append(packet.is_keyframe)
                shown.append(not packet.is_discard)
    except av.FFmpegError as error:
        failure = reason(error)
    if partial:
        failure = failure or "the last packet is not complete"
        count -= 1
    table = PacketTable(
        np.array(pts, np.int64),
        np.array(dts, np.int64),
        np.array(duration, np.int64),
        np.array(keyframe, bool),
        np.array(shown, bool),
    )
    if partial:
        table = table.select(np.arange(len(table)) < len(table) - 1)
    return table, clock, count, failure


def _with_lost_frames(
    path: str, stream: VideoStream, timeline: Timeline, period: Fraction, failure: str
) -> tuple[Timeline, str]:
    """The timeline with what a truncated file should have had, as far as its headers tell.

    Returns "" as the failure where the video itself is complete (sound or an index was cut off).
    """
    entries = stream.index_entries
    limit = file_size(path)
    ends = [entry.pos + entry.size > limit for entry in entries if not entry.is_discard]
    lost = sum(ends)
    if lost:
        all_dts = np.array([e.timestamp for e in entries if not e.is_discard], np.int64)
        return with_lost_tail(timeline, all_dts, lost), failure
    promised = stream.frames or _promised_frames(stream, timeline, period)
    if 0 < promised <= len(timeline):
        return timeline, ""
    missing = min(promised - len(timeline), limit * _MAX_LOST_PER_BYTE)
    if missing > 0:
        timeline = with_missing_frames(timeline, missing, period)
    return timeline, failure


def _promised_frames(stream: VideoStream, timeline: Timeline, period: Fraction) -> int:
    """Frames that fit the stream's own duration; Matroska has it as a tag (HH:MM:SS.fraction)."""
    time_base = stream.time_base or Fraction(1)
    if stream.duration:
        return round(stream.duration / period)
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        total = 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    except ValueError:
        return 0
    return round((total / time_base - timeline.time(0)) / period)
