"""Reads a file once without decoding: which pictures it has, when, and what is cut off."""

from array import array
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from fastvid.decode.container import (
    best_video_stream,
    cut_short_hint,
    file_size,
    open_container,
    reason,
)
from fastvid.decode.timeline import (
    NO_TIME,
    PacketTable,
    Timeline,
    build_timeline,
    with_lost_tail,
    with_missing_frames,
)
from fastvid.decode.truncation import ends_early
from fastvid.errors import InputError

# Demuxers of broadcasts and bare streams, which may begin anywhere.
_STARTS_ANYWHERE = frozenset({"mpegts", "mpeg", "mpegvideo", "h264", "hevc", "vvc"})
# For what has neither a rate nor time stamps.
_FALLBACK_RATE = Fraction(25)
# A header may claim any duration; one lost frame a byte is more than any file can have lost.
_MAX_LOST_PER_BYTE = 1


@dataclass(frozen=True)
class Scan:
    """What one pass over the packets of a file's video stream found.

    rate: nominal frames per second. packet_count: how many packets are worth decoding.
    cut_short: "" or how it shows that the file ends too early.
    """

    stream_index: int
    time_base: Fraction
    rate: Fraction
    timeline: Timeline
    packet_count: int
    cut_short: str

    @property
    def frame_period(self) -> Fraction:
        """Nominal frame duration in units of the time base."""
        return 1 / (self.rate * self.time_base)


def is_picture(packet: "Packet[VideoStream]", codec_name: str) -> bool:
    """False for packets that never give a frame: empty ones, those before the start of an edit,
    and VP8's invisible reference frames (RFC 6386, 9.1: bit 4 of the frame tag is show_frame)."""
    if packet.size == 0 or packet.is_discard:
        return False
    return codec_name != "vp8" or bool(memoryview(packet)[0] & 0x10)


def scan_file(path: str) -> Scan:
    """Counts the pictures of the best video stream. Raises InputError if the file has none."""
    with open_container(path) as container:
        stream = best_video_stream(container, path)
        packets, count, failure = _collect(container, stream)
        time_base = stream.time_base or Fraction(1, 90000)
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate or _FALLBACK_RATE
        period = 1 / (rate * time_base)
        timeline = build_timeline(packets, period, container.format.name in _STARTS_ANYWHERE)
        if not len(timeline):
            raise InputError(f"{path}: its video stream has no frames" + cut_short_hint(path))
        if not failure and ends_early(path):
            failure = "the file ends before its container does"
        if failure:
            timeline, failure = _with_lost_frames(path, stream, timeline, period, failure)
        return Scan(stream.index, time_base, rate, timeline, count, failure)


def _collect(
    container: av.container.InputContainer, stream: VideoStream
) -> tuple[PacketTable, int, str]:
    """The packets, how many are whole, and why reading ended too early ("" if it did not)."""
    pts, dts, duration = array("q"), array("q"), array("q")
    keyframe = bytearray()
    count, partial, failure = 0, False, ""
    codec_name = stream.codec_context.name
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            count += 1
            partial = packet.is_corrupt
            if is_picture(packet, codec_name):
                pts.append(NO_TIME if packet.pts is None else packet.pts)
                dts.append(NO_TIME if packet.dts is None else packet.dts)
                duration.append(packet.duration or 0)
                keyframe.append(packet.is_keyframe)
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
    )
    if partial:
        table = table.select(np.arange(len(table)) < len(table) - 1)
    return table, count, failure


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
