"""The encoded parts as one video track: every packet with its own pts, and decoding times anew."""

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from fastvid.encode.parts import PartPacket, read_packets, read_template, read_timings
from fastvid.errors import StorageError


@dataclass(frozen=True)
class TimedPacket:
    """A packet with its decoding time and the time until the next frame (duration of the last one).

    dts, duration: in the video's time base.
    """

    packet: PartPacket
    dts: int
    duration: int


def decoding_times(pts: list[int], end: int, keys: frozenset[int] = frozenset()) -> list[int]:
    """Decoding times for packets whose presentation times are `pts`, in decoding order.

    The encoders number the parts' packets on their own, so at a seam their decoding times may run
    backwards. These are strictly increasing and never after pts: the sorted pts, delayed by the
    deepest reordering that occurs. The packets before those begin so early that all decoding
    steps, with the duration of the last packet, add up to the length of the video: that sum is
    what MP4 takes for the length.
    end: when the last frame ends. keys: pts of the key frames. Raises ValueError if a pts occurs
    twice.
    """
    in_order = sorted(pts)
    if any(first == second for first, second in itertools.pairwise(in_order)):
        raise ValueError("two frames have the same presentation time")
    rank = {value: position for position, value in enumerate(in_order)}
    delay = max((position - rank[value] for position, value in enumerate(pts)), default=0)
    if delay == 0:
        return in_order
    late = _with_late_keys_reachable(in_order[:-delay], pts[delay:], end, keys)
    return _early_times(in_order, delay, end - late[-1] - _durations(in_order, end)[pts[-1]]) + late


def _with_late_keys_reachable(
    dts: list[int], pts: list[int], end: int, keys: frozenset[int]
) -> list[int]:
    """Brings the packet after a key frame near the end closer to it.

    libavformat's MP4 demuxer stops at a key frame whose decoding step, seen from its pts, reaches
    the end; the packets after it were lost.
    """
    dts = list(dts)
    for position, time in enumerate(pts[:-1]):
        if time in keys:
            dts[position + 1] = min(dts[position + 1], dts[position] + max(1, end - time - 1))
    return dts


def _early_times(in_order: list[int], delay: int, lead: int) -> list[int]:
    """Decoding times of the first `delay` packets, from `lead` before the first frame on.

    lead: at least `delay`, since of the last delay + 1 frames all but one last that long.
    """
    first_interval = in_order[1] - in_order[0]
    if 0 < in_order[0] < lead:
        # libavformat's MP4 demuxer takes a small offset at the start away if decoding begins much
        # before 0; the offset matters more than the length that is told.
        lead = delay * first_interval
    step = min(first_interval, lead // delay)
    return [in_order[0] - lead] + [
        in_order[0] - step * (delay - position) for position in range(1, delay)
    ]


def _durations(in_order: list[int], end: int) -> dict[int, int]:
    return {
        first: after - first for first, after in zip(in_order, [*in_order[1:], end], strict=True)
    }


class VideoTrack:
    """The video of the output. Opening it reads the times only. Raises StorageError.

    start, end: when the first frame begins and the last frame ends, in the video's time base.
    """

    def __init__(self, parts: list[Path]) -> None:
        if not parts:
            raise ValueError("nothing was encoded")
        self._parts = parts
        timings = [timing for part in parts for timing in read_timings(part)]
        last = max(timings, key=lambda timing: timing.pts)
        self.start = min(timing.pts for timing in timings)
        self.end = last.pts + last.duration
        self._pts = [timing.pts for timing in timings]
        self._keys = frozenset(timing.pts for timing in timings if timing.is_keyframe)
        self._durations = _durations(sorted(self._pts), self.end)

    def packets(self, origin: int) -> Iterator[TimedPacket]:
        """All packets in decoding order, one in memory at a time.

        origin: what becomes 0 in the output; decoding times at the start depend on it.
        """
        pts = [time - origin for time in self._pts]
        keys = frozenset(time - origin for time in self._keys)
        decoding = decoding_times(pts, self.end - origin, keys)
        packets = (packet for part in self._parts for packet in read_packets(part))
        return (
            TimedPacket(packet, dts + origin, self._durations[packet.pts])
            for packet, dts in zip(packets, decoding, strict=True)
        )

    def open_template(self) -> av.container.InputContainer:
        """A container with the stream that the packets belong to; close it after the header.

        Raises StorageError if the parts do not share their stream headers, as happens when
        they were encoded by different versions or with other settings.
        """
        template = _open(self._parts[0])
        headers = _headers(template)
        for part in self._parts[1:]:
            with _open(part) as other:
                if _headers(other) != headers:
                    template.close()
                    raise StorageError(
                        f"{part} was encoded with other settings than {self._parts[0]}; "
                        "encode again from the run file (python -m fastvid encode)"
                    )
        return template


def _open(part: Path) -> av.container.InputContainer:
    return av.open(io.BytesIO(read_template(part)), "r")


def _headers(template: av.container.InputContainer) -> tuple[object, ...]:
    context = template.streams.video[0].codec_context
    return (context.name, context.width, context.height, bytes(context.extradata or b""))
