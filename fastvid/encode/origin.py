"""Where the output begins: what of the source's clock becomes 0, and what its clock is."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream
from av.stream import Stream

from fastvid.decode.clock import StreamClock, clock_may_jump, clock_offsets
from fastvid.decode.container import best_video_stream, open_container

# Samples that AAC encoders put before the sound at most (Apple's, Technical Note TN2258).
_LONGEST_PRIMING = 2112
# How long a packet without a duration is taken to last where clocks are bridged, in seconds.
_PACKET_S = Fraction(1, 50)


def late_start(start: int, time_base: Fraction, streams: Sequence[Stream]) -> int:
    """How much later than 0 the film begins, in units of `time_base`; 0 if it does not.

    start: of the video, in the same unit. streams: what is copied; whichever of sound and picture
    comes first begins at 0 and the others keep their distance.
    """
    picture = start * time_base
    starts = [
        stream.start_time * stream.time_base
        for stream in streams
        if isinstance(stream, AudioStream) and stream.start_time is not None and stream.time_base
        if not _is_priming(stream, picture - stream.start_time * stream.time_base)
    ]
    return max(0, round(min([picture, *starts]) / time_base))


def _is_priming(stream: AudioStream, lead: Fraction) -> bool:
    """Whether sound begins so little before the picture, in seconds, that it is what an AAC encoder
    puts in front."""
    rate = stream.codec_context.sample_rate
    return stream.codec_context.name == "aac" and 0 < lead * rate <= _LONGEST_PRIMING


def late_start_of(start: int, time_base: Fraction, source: str | Path | None) -> int:
    """The same for the streams of a file; without one, the picture begins at 0."""
    if source is None or not Path(source).is_file():
        return late_start(start, time_base, ())
    with open_container(str(source)) as container:
        return late_start(start, time_base, list(container.streams))


def source_clock(source: str | Path) -> list[Fraction]:
    """What is added to the times of the source, in seconds: at first, and from each jump of its
    clock on. Raises InputError."""
    with open_container(str(source)) as container:
        if not clock_may_jump(container):
            return [Fraction(0)]
        stream = best_video_stream(container, str(source))
        return clock_offsets(container, stream)


def stream_clocks(streams: Sequence[Stream], offsets: Sequence[Fraction]) -> dict[int, StreamClock]:
    """A clock for each stream, by its index; none where the source's clock does not jump."""
    if len(offsets) < 2:
        return {}
    return {stream.index: StreamClock(_PACKET_S, offsets) for stream in streams}
