"""Joined recordings: where a file's clock jumps, times go on as if it had not.

The rules are those of the ffmpeg program: only formats whose clocks may jump are looked at, and a
jump is a decoding time far ahead of the one that is due, or one that steps back.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

# AVFMT_TS_DISCONT of libavformat: MPEG transport and program streams, Ogg.
_CLOCK_MAY_JUMP = 0x200
# ffmpeg's -dts_delta_threshold, and the step back that it forgives, in seconds.
_AHEAD_S = 10
_BACK_S = Fraction(1, 10)


def clock_may_jump(container: InputContainer) -> bool:
    """Whether files of this format may be recordings joined end to end."""
    return bool(container.format.flags & _CLOCK_MAY_JUMP)


class StreamClock:
    """Gives the packets of one stream times that go on where the file's clock jumps.

    period: how long a packet without a duration lasts, in seconds. offsets: what is added to the
    file's times, in seconds, from the beginning and from each jump on; jumps that are found are
    added to it. known: the offsets of the whole file as another stream has shown them: then none is
    added, and each packet gets the one of this or the next recording that fits better.
    """

    def __init__(self, period: Fraction, known: Sequence[Fraction] | None = None) -> None:
        self._period = period
        self._known = known is not None
        self.offsets = list(known) if known else [Fraction(0)]
        # For each jump that was found: when the first packet behind it is shown, in seconds.
        self.jumps: list[Fraction] = []
        self._at = 0
        self._last: Fraction | None = None
        self._due: Fraction | None = None

    def bridge(self, packet: "Packet[Stream] | Packet[VideoStream]") -> None:
        """Changes the times of a packet; call it for each packet of the stream in their order."""
        unit = packet.time_base
        ticks = packet.dts if packet.dts is not None else packet.pts
        if ticks is None:
            return
        jumped = self._choose(ticks * unit)
        shift = round(self.offsets[self._at] / unit)
        if shift:
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
        if jumped:
            self.jumps.append((packet.pts or ticks + shift) * unit)
        self._last = (ticks + shift) * unit
        duration = packet.duration * unit if packet.duration else self._period
        self._due = self._last + duration

    def _choose(self, time: Fraction) -> bool:
        """Moves on to the offset that holds for a packet of this time; whether that is a new
        one."""
        if self._last is None or self._due is None:
            return False
        now = time + self.offsets[self._at]
        if self._known:
            following = self.offsets[self._at + 1 : self._at + 2]
            if following and abs(time + following[0] - self._due) < abs(now - self._due):
                self._at += 1
        elif abs(now - self._due) > _AHEAD_S or now + _BACK_S < self._last:
            self.offsets.append(self._due - time)
            self._at += 1
            return True
        return False


def bridged_packets(
    container: InputContainer, stream: VideoStream, period: Fraction
) -> tuple[Iterator["Packet[VideoStream]"], StreamClock]:
    """The packets of the video stream on one clock, and that clock.

    period: of the frames, in seconds.
    """
    clock = StreamClock(period)
    return _bridged(container, stream, clock), clock


def _bridged(
    container: InputContainer, stream: VideoStream, clock: StreamClock
) -> Iterator["Packet[VideoStream]"]:
    may_jump = clock_may_jump(container)
    for packet in container.demux(stream):
        if may_jump and packet.size:
            clock.bridge(packet)
        yield packet


def nominal_period(stream: VideoStream) -> Fraction:
    """How long a frame lasts by what the stream says of its rate, in seconds."""
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate or FALLBACK_RATE
    return 1 / Fraction(rate)


# For what has neither a rate nor time stamps.
FALLBACK_RATE = Fraction(25)


def clock_offsets(container: InputContainer, stream: VideoStream) -> list[Fraction]:
    """What is to be added to the file's times, in seconds: at its beginning, and from each jump of
    its clock on, as the video stream shows them. Reads the whole file."""
    packets, clock = bridged_packets(container, stream, nominal_period(stream))
    for _ in packets:
        pass
    return clock.offsets
