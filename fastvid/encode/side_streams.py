"""What accompanies the video in the source: sound, subtitles, attachments, data, chapters, tags."""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer, OutputContainer
from av.stream import Discard, Stream

from fastvid.encode.codecs import MOV_LANGUAGES

# Tags that describe the source's own coding or container and would be wrong in the output.
_STALE_TAGS = frozenset(
    {
        "major_brand",
        "minor_version",
        "compatible_brands",
        "encoder",
        "duration",
        "rotate",
        "bps",
        "number_of_frames",
        "number_of_bytes",
        "vendor_id",
        "_statistics_writing_app",
        "_statistics_writing_date_utc",
        "_statistics_tags",
    }
)
_WAYS_OUT = {
    "matroska": "an .mp4 or .mov may",
    "mp4": "an .mkv may",
    "mov": "an .mkv may",
    "webm": "an .mkv may",
}


@dataclass(frozen=True)
class Window:
    """The chosen span of time, in seconds; it becomes 0 and following in the output."""

    start: Fraction
    end: Fraction


def kept_tags(metadata: dict[str, str]) -> dict[str, str]:
    """Tags of a file or stream without those that no longer hold after encoding again."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in _STALE_TAGS
    }


def choose_streams(
    source: InputContainer, painted: Stream, muxer: str, kinds: frozenset[str]
) -> tuple[list[Stream], list[str]]:
    """The streams of the given kinds that the container takes, and notes on those left out."""
    chosen, notes = [], []
    for stream in source.streams:
        if stream.index == painted.index:
            continue
        if _is_written_otherwise(source, stream):
            if "timecode" in stream.metadata and muxer not in ("mp4", "mov"):
                notes.append(f"the time code is left out: {muxer} can't hold it, a .mov can")
            continue
        label = f"stream {stream.index} ({stream.type}, {_codec_name(stream)})"
        if stream.type == "video":
            notes.append(f"{label} is left out: only the painted video is written")
        elif stream.type not in kinds or not _fits(stream, muxer):
            notes.append(f"{label} is left out: {muxer} can't hold it, {_WAYS_OUT[muxer]}")
        else:
            chosen.append(stream)
    return chosen, notes


def stream_tags(stream: Stream, muxer: str) -> dict[str, str]:
    """The tags of a stream for its copy, with the language in the code that the muxer knows."""
    tags = kept_tags(stream.metadata)
    if muxer == "mov" and "language" in tags:
        tags["language"] = MOV_LANGUAGES.get(tags["language"], tags["language"])
    return tags


def add_copies(output: OutputContainer, streams: list[Stream]) -> dict[int, Stream]:
    """Streams of the output by the index of the source's stream, with language and disposition."""
    copies = {}
    for stream in streams:
        copy = output.add_stream_from_template(stream)
        copy.metadata.update(stream_tags(stream, output.format.name))
        copy.disposition = stream.disposition
        copies[stream.index] = copy
    return copies


def copied_packets(
    source: InputContainer, streams: list[Stream], window: Window | None, negative_times: bool
) -> Iterator["av.Packet[Stream]"]:
    """The packets of the streams in the order of the file, cut to the window and shifted.

    A sound packet that reaches into the window is kept whole; without negative_times, what
    then begins before 0 is left out. Subtitles are cut at both ends.
    """
    streams = [stream for stream in streams if stream.type != "attachment"]
    for stream in source.streams:
        stream.discard = Discard.default if stream in streams else Discard.all
    if not streams:
        return
    for packet in source.demux(streams):
        # The last packet of each stream is an empty mark of its end.
        if packet.size == 0 and packet.pts is None and packet.dts is None:
            continue
        if window is not None and not _cut(packet, window):
            continue
        if negative_times or packet.pts is None or packet.pts >= 0:
            yield packet


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
            end = round(min(Fraction(end), window.end / unit) - window.start / unit)
        if start < end:
            chapters.append({**chapter, "start": start, "end": end})
    return chapters


def packet_time(packet: "av.Packet[Stream]") -> Fraction | None:
    """When a packet is to be decoded, in seconds, None if the source does not say."""
    time = packet.dts if packet.dts is not None else packet.pts
    return None if time is None else time * packet.time_base


def _cut(packet: "av.Packet[Stream]", window: Window) -> bool:
    """Shifts a packet into the window; False if it lies outside."""
    if packet.pts is None:
        return False
    unit = packet.time_base
    duration = packet.duration or 0
    start, end = packet.pts * unit, (packet.pts + duration) * unit
    # A packet without duration occupies its instant.
    if start >= window.end or (end <= window.start and start < window.start):
        return False
    is_text = packet.stream.type == "subtitle"
    shift = round(window.start / unit)
    packet.pts -= shift
    if packet.dts is not None:
        packet.dts -= shift
    if is_text:
        first = max(packet.pts, 0)
        last = min(packet.pts + duration, round(window.end / unit) - shift)
        packet.pts = packet.dts = first
        packet.duration = max(last - first, 0)
        return packet.duration > 0 or duration == 0
    return True


def _is_written_otherwise(source: InputContainer, stream: Stream) -> bool:
    # In MP4 and MOV the titles of chapters are a text track beside, and the time code of the first
    # frame is a track; they are written from the chapters and from the tag of the video.
    if stream.type != "data" or "mp4" not in source.format.name:
        return False
    return "timecode" in stream.metadata or (
        _codec_name(stream) == "bin_data" and bool(source.chapters())
    )


def _codec_name(stream: Stream) -> str:
    # Streams without a decoder have no codec context, whatever the annotations of PyAV say.
    context = getattr(stream, "codec_context", None)
    return str(context.name if context is not None else getattr(stream, "name", None) or "unknown")


def _fits(stream: Stream, muxer: str) -> bool:
    """Whether the container takes the stream, found out by writing a header with it alone."""
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
