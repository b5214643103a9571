"""Runs the decoder over a file: frames and failures as they come, and a first look."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fastvid.decode.clock import bridged_packets, nominal_period
from fastvid.decode.colors import chroma_place
from fastvid.decode.container import best_video_stream, open_container, reason
from fastvid.decode.failure import Failure
from fastvid.errors import InputError

# Interlaced streams: decoded frames from which the frame period is measured.
_PROBE_FRAMES = 8


@dataclass(frozen=True)
class Probe:
    """First decoded frame of a stream; times of the first few frames if it is interlaced.

    chroma: where colour stands that is stored for two pixels (see chroma_place). codec_tag: by
    which the container names the codec.
    """

    frame: VideoFrame
    pixel_aspect: Fraction | None
    times: tuple[int, ...]
    chroma: str
    codec_tag: str


def decoder_events(
    path: str, packet_count: int, show_all: bool = False
) -> Generator[VideoFrame | Failure, None, None]:
    """Decoded frames in presentation order, and failures where they surface.

    packet_count: packets after this many are not worth decoding (cut off). show_all: also what the
    container marks as not to be shown (before the start of an edit).
    """
    with open_container(path) as container:
        stream = best_video_stream(container, path)
        context = stream.codec_context
        count = 0
        aspects: list[Fraction] = []
        try:
            packets, _ = bridged_packets(container, stream, nominal_period(stream))
            for packet in packets:
                if packet.size == 0:
                    continue
                count += 1
                if count > packet_count:
                    break
                if packet.is_corrupt:
                    yield Failure("the packet is damaged", loses_frame=False)
                try:
                    frames = context.decode(_unmarked(packet) if show_all else packet)
                    yield from _with_new_aspect(frames, context, aspects)
                except av.FFmpegError as error:
                    yield Failure(reason(error))
        except av.FFmpegError as error:
            yield Failure(reason(error), loses_frame=False)
        try:
            yield from _with_new_aspect(context.decode(None), context, aspects)
        except av.EOFError:
            return
        except av.FFmpegError as error:
            yield Failure(reason(error), loses_frame=False)


def _with_new_aspect(
    frames: list[VideoFrame], context: VideoCodecContext, aspects: list[Fraction]
) -> list[VideoFrame]:
    """The frames; `opaque` tells the pixel aspect of those that have another one than the first.

    aspects: gets that of the first.
    """
    aspect = context.sample_aspect_ratio
    if frames and aspect:
        if not aspects:
            aspects.append(aspect)
        for frame in frames if aspect != aspects[0] else ():
            frame.opaque = aspect
    return frames


def _unmarked(packet: "Packet[VideoStream]") -> "Packet[VideoStream] | Packet[Stream]":
    """The packet without the mark that its picture is not to be shown."""
    if not packet.is_discard:
        return packet
    copy = Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
    for side_data in packet.iter_sidedata():
        copy.set_sidedata(side_data)
    return copy


def probe_file(path: str, packet_count: int, show_all: bool = False) -> Probe:
    """Decodes the first good frame. Raises InputError if there is none."""
    first: VideoFrame | None = None
    times: list[int] = []
    failure = "the decoder gives no picture"
    with closing(decoder_events(path, packet_count, show_all)) as events:
        for event in events:
            if isinstance(event, Failure):
                failure = event.reason
                continue
            first = first or event
            if event.pts is not None:
                times.append(event.pts)
            if not first.interlaced_frame or len(times) >= _PROBE_FRAMES:
                break
    if first is None:
        raise InputError(f"{path}: none of its {packet_count} frames can be decoded ({failure})")
    with open_container(path) as container:
        stream = best_video_stream(container, path)
        context = stream.codec_context
        return Probe(
            first,
            stream.sample_aspect_ratio,
            tuple(times),
            chroma_place(context.name),
            context.codec_tag,
        )
