"""The painted video as a stream of the final container: its parameters, tags and times."""

import io
from fractions import Fraction

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from fastvid.encode.encoder import tag_stream
from fastvid.encode.plan import OutputPlan
from fastvid.encode.sphere_template import header_filter
from fastvid.encode.tags import track_tags
from fastvid.encode.track import TimedPacket

# Containers with one clock for all streams, in whole milliseconds.
_MILLISECOND_MUXERS = frozenset({"matroska", "webm"})


def add_video(
    output: OutputContainer,
    plan: OutputPlan,
    template: InputContainer,
    painted: Stream | None,
    cut: bool,
    with_place: bool = True,
) -> Stream:
    """The stream of the painted video in the output.

    template: a container of which the only stream has the headers of the encoded packets, and the
    tags that the muxer is to write from it (see `tagged_template`).
    painted: the stream of the source that was painted, for its tags; None: none. cut: whether
        the output begins later than the source. with_place: False leaves out where it was made.
    """
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
    BitStreamFilterContext(header_filter(plan), in_stream=tagged, out_stream=video)
    video.time_base = plan.time_base
    if painted is not None:
        video.metadata.update(track_tags(painted.metadata, plan.container, with_place))
        if cut:
            # It names the time of the first frame, which is another one now.
            video.metadata.pop("timecode", None)
        video.disposition = painted.disposition
    return video


class VideoClock:
    """Gives the packets of the video their times in the output.

    origin: what becomes 0, in the video's time base.
    """

    def __init__(self, plan: OutputPlan, origin: int) -> None:
        self._plan = plan
        self._origin = origin
        self._worst_ms = Fraction(0)

    def packet(self, timed: TimedPacket) -> "av.Packet[Stream]":
        """The packet for the muxer."""
        source = timed.packet
        packet: av.Packet[Stream] = av.Packet(source.data)
        packet.is_keyframe = source.is_keyframe
        packet.time_base = self._plan.time_base
        packet.pts, packet.dts = source.pts - self._origin, timed.dts - self._origin
        packet.duration = timed.duration
        if self._plan.container in _MILLISECOND_MUXERS:
            time_ms = packet.pts * self._plan.time_base * 1000
            self._worst_ms = max(self._worst_ms, abs(time_ms - round(time_ms)))
        return packet

    def notes(self) -> list[str]:
        """Whether the container rounded the times of the packets so far."""
        if not self._worst_ms:
            return []
        return [
            f"{self._plan.path.suffix} holds whole milliseconds only: times are rounded by up "
            f"to {float(self._worst_ms):.2g} ms; .mp4 and .mov keep them exactly"
        ]
