"""The encoded parts as one video track: every packet with its own pts, and decoding times anew."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from fastvid.errors import StorageError
from fastvid.video.parts import PartPacket, read_packets, read_template, read_timings


@dataclass(frozen=True)
class TimedPacket:
    """A packet with its decoding time; pts, dts and duration in the video's time base."""

    packet: PartPacket
    dts: int


def decoding_times(pts: list[int]) -> list[int]:
    """Decoding times for packets whose presentation times are `pts`, in decoding order.

    The encoders number the parts' packets on their own, so at a seam their decoding times may run
    backwards. These are strictly increasing and never after pts: the sorted pts, delayed by the
    deepest reordering that occurs; the packets before those get steps of the first interval.
    Raises ValueError if a pts occurs twice.
    """
    in_order = sorted(pts)
    if any(first == second for first, second in zip(in_order, in_order[1:])):
        raise ValueError("two frames have the same presentation time")
    rank = {value: position for position, value in enumerate(in_order)}
    delay = max((position - rank[value] for position, value in enumerate(pts)), default=0)
    step = in_order[1] - in_order[0] if len(in_order) > 1 else 1
    lead = [in_order[0] - step * (delay - position) for position in range(delay)]
    return (lead + in_order)[:len(pts)]


class VideoTrack:
    """The video of the output. Opening it reads the times only. Raises StorageError.

    end: when the last frame ends, in the video's time base.
    """

    def __init__(self, parts: list[Path]) -> None:
        if not parts:
            raise ValueError("nothing was encoded")
        self._parts = parts
        timings = [timing for part in parts for timing in read_timings(part)]
        last = max(timings, key=lambda timing: timing.pts)
        self.start = min(timing.pts for timing in timings)
        self.end = last.pts + last.duration
        self.times = sorted(timing.pts for timing in timings)
        self._dts = decoding_times([timing.pts for timing in timings])

    def packets(self) -> Iterator[TimedPacket]:
        """All packets in decoding order, one in memory at a time."""
        packets = (packet for part in self._parts for packet in read_packets(part))
        return (TimedPacket(packet, dts) for packet, dts in zip(packets, self._dts, strict=True))

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
                        "encode again from the run file (python -m fastvid encode)")
        return template


def _open(part: Path) -> av.container.InputContainer:
    return av.open(io.BytesIO(read_template(part)), "r")


def _headers(template: av.container.InputContainer) -> tuple[object, ...]:
    context = template.streams.video[0].codec_context
    return (context.name, context.width, context.height, bytes(context.extradata or b""))
