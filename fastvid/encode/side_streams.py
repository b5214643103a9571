"""What accompanies the video in the source: sound, subtitles, attachments, data, chapters, tags."""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer, OutputContainer
from av.stream import Discard, Stream

from fastvid.decode.clock import StreamClock
from fastvid.decode.container import open_container
from fastvid.encode.tags import track_tags

# What is offered where a container can't hold a stream.
_MUXERS = {"matroska": ".mkv", "mp4": ".mp4", "mov": ".mov"}


@dataclass(frozen=True)
class Window:
    """The chosen span of time, in seconds; it becomes 0 and following in the output.

    end: None where nothing is cut, at neither end, and all is shifted only.
    """

    start: Fraction
    end: Fraction | None


def choose_streams(
    source: InputContainer,
    painted: Stream,
    muxer: str,
    kinds: frozenset[str],
    with_place: bool = True,
) -> tuple[list[Stream], list[str]]:
    """The streams of the given kinds that the container takes, and notes on those left out.

    with_place: False leaves out data tracks, which tell where a camera was.
    """
    chosen, notes = [], []
    chapter_tracks = _chapter_tracks(source)
    for stream in source.streams:
        if stream.index == painted.index:
            continue
        if stream.index in chapter_tracks:
            continue
        if _is_time_code(source, stream):
            if "timecode" in stream.metadata and muxer not in ("mp4", "mov"):
                notes.append(f"the time code is left out: {muxer} can't hold it, a .mov can")
            continue
        label = f"stream {stream.index} ({stream.type}, {_codec_name(stream)})"
        if stream.type == "video":
            notes.append(f"{label} is left out: only the painted video is written")
        elif stream.type == "data" and not with_place:
            notes.append(f"{label} is left out: it may tell the place (--no-location)")
        elif stream.type not in kinds or not _fits(source, stream, muxer):
            others = [end for name, end in _MUXERS.items() if _fits(source, stream, name)]
            way_out = f"{' or '.join(others)} may" if others else "nor can any other written here"
            notes.append(f"{label} is left out: {muxer} can't hold it, {way_out}")
        else:
            chosen.append(stream)
    return chosen, notes


def add_copies(
    output: OutputContainer, streams: list[Stream], with_place: bool = True
) -> dict[int, Stream]:
    """Streams of the output by the index of the source's stream, with language, name and
    disposition."""
    copies = {}
    for stream in streams:
        copy = output.add_stream_from_template(stream)
        copy.metadata.update(track_tags(stream.metadata, output.format.name, with_place))
        copy.disposition = stream.disposition
        copies[stream.index] = copy
    return copies


def copied_packets(
    source: InputContainer,
    streams: list[Stream],
    window: Window | None,
    negative_times: bool,
    clocks: dict[int, StreamClock],
) -> Iterator["av.Packet[Stream]"]:
    """The packets of the streams in the order of the file, cut to the window and shifted.

    A sound packet that reaches into the window is kept whole; without negative_times, what
    then begins before 0 is left out. Subtitles are cut at both ends. clocks: of the streams by
    index, where the source's clock jumps.
    """
    streams = [stream for stream in streams if stream.type != "attachment"]
    for stream in source.streams:
        stream.discard = Discard.default if stream in streams else Discard.all
    if not streams:
        return
    last: dict[int, int] = {}
    for packet in source.demux(streams):
        # The last packet of each stream is an empty mark of its end.
        if packet.size == 0 and packet.pts is None and packet.dts is None:
            continue
        if packet.stream_index in clocks:
            clocks[packet.stream_index].bridge(packet)
        _keep_growing(packet, last)
        if window is not None and not _cut(packet, window):
            continue
        if negative_times or packet.pts is None or packet.pts >= 0:
            yield packet


def _keep_growing(packet: "av.Packet[Stream]", last: dict[int, int]) -> None:
    """Moves a packet behind the one before it, as ffmpeg does: muxers refuse decoding times that
    do not grow. last: decoding times by stream, of sound alone.

    One without a duration, as Matroska has them for some codecs (ALAC), gets that of the one
    before: MP4 ends where its last packet begins otherwise, and players leave that out.
    """
    if packet.stream.type != "audio" or packet.dts is None:
        return
    index = packet.stream_index
    if packet.dts <= last.get(index, packet.dts - 1):
        packet.dts = last[index] + 1
        packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
    if not packet.duration and index in last:
        packet.duration = packet.dts - last[index]
    last[index] = packet.dts


def copied_chapters(source: InputContainer, window: Window | None) -> list[dict[str, object]]:
    """The chapters of the source, cut to the window and shifted, in the form PyAV takes."""
    chapters: list[dict[str, object]] = []
    for chapter in source.chapters():
        unit = chapter["time_base"]
        if unit is None:
            continue
        start, end = chapter["start"], chapter["end"]
        if window is not None:
            start = max(0, round(start - window.start / unit))
            last = Fraction(end) if window.end is None else min(Fraction(end), window.end / unit)
            end = round(last - window.start / unit)
        if start < end:
            chapters.append({**chapter, "start": start, "end": end})
    return chapters


def packet_time(packet: "av.Packet[Stream]") -> Fraction | None:
    """When a packet is to be decoded, in seconds, None if the source does not say."""
    time = packet.dts if packet.dts is not None else packet.pts
    return None if time is None else time * packet.time_base


def _cut(packet: "av.Packet[Stream]", window: Window) -> bool:
    """Shifts a packet into the window; False if it lies outside."""
    unit = packet.time_base
    if window.end is None:
        _shift(packet, round(window.start / unit))
        return True
    if packet.pts is None:
        return False
    duration = packet.duration or 0
    start, end = packet.pts * unit, (packet.pts + duration) * unit
    # A packet without duration occupies its instant.
    if start >= window.end or (end <= window.start and start < window.start):
        return False
    is_text = packet.stream.type == "subtitle"
    shift = round(window.start / unit)
    _shift(packet, shift)
    if is_text:
        first = max(packet.pts, 0)
        last = min(packet.pts + duration, round(window.end / unit) - shift)
        packet.pts = packet.dts = first
        packet.duration = max(last - first, 0)
        return packet.duration > 0 or duration == 0
    return True


def _shift(packet: "av.Packet[Stream]", ticks: int) -> None:
    packet.pts = None if packet.pts is None else packet.pts - ticks
    packet.dts = None if packet.dts is None else packet.dts - ticks


def _is_time_code(source: InputContainer, stream: Stream) -> bool:
    # In MP4 and MOV the time code of the first frame is a track; it is written from the tag of the
    # video.
    return stream.type == "data" and _is_mov(source) and "timecode" in stream.metadata


def _chapter_tracks(source: InputContainer) -> set[int]:
    """In MP4 and MOV the titles of chapters are a text track beside; which ones are such tracks.

    They are written from the chapters, and the demuxer, which has read them, discards them.
    """
    if not _is_mov(source) or not source.chapters():
        return set()
    with open_container(source.name.removeprefix("file:")) as fresh:
        return {
            stream.index
            for stream in fresh.streams
            if stream.type == "data" and stream.discard == Discard.all
        }


def _is_mov(source: InputContainer) -> bool:
    return "mp4" in source.format.name


def _codec_name(stream: Stream) -> str:
    # Streams without a decoder have no codec context, whatever the annotations of PyAV say.
    context = getattr(stream, "codec_context", None)
    return str(context.name if context is not None else getattr(stream, "name", None) or "unknown")


def _fits(source: InputContainer, stream: Stream, muxer: str) -> bool:
    """Whether the container takes the stream, found out by writing a header with it alone.

    Data of unknown form is a track of MP4 and MOV only, and known by their mark only.
    """
    if stream.type == "data" and not (_is_mov(source) and muxer in ("mp4", "mov")):
        return False
    trial = av.open(io.BytesIO(), "w", format=muxer)
    try:
        trial.add_stream_from_template(stream)
        trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    # Some codecs miss their packets at the end of an empty file; the header was accepted.
    with suppress(av.FFmpegError):
        trial.close()
    return True
