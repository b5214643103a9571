"""What rank 0 and a rank that encodes a part of the video tell each other (see
`fastvid.parallel.messages`)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from fastvid.encode.plan import OutputPlan, plan_of_text
from fastvid.parallel.engine.encoding import PartOrder
from fastvid.parallel.mpi.message import Body, Content, Kind, bytes_array, text_array


@dataclass(frozen=True)
class Encode(Body, kind=Kind.ENCODE):
    """0 -> rank: encode a part of the video, this way."""

    order: PartOrder
    plan: OutputPlan

    def pack(self) -> Content:
        order = self.order
        header = (order.style, order.first, order.stop, order.threads)
        return Content(header, (text_array(self.plan.text()),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(PartOrder(*content.header), plan_of_text(content.text()))


@dataclass(frozen=True)
class Want(Body, kind=Kind.WANT):
    """Rank -> 0: send the frames [start, stop) of the part."""

    start: int
    stop: int

    def pack(self) -> Content:
        return Content((self.start, self.stop))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(*content.header)


@dataclass(frozen=True)
class Pictures(Body, kind=Kind.PICTURES):
    """0 -> rank: finished frames to encode, (H, W, 3) uint8 RGB. times: (N, 2) int64, timestamp and
    duration of each."""

    times: np.ndarray
    images: tuple[np.ndarray, ...]

    def pack(self) -> Content:
        return Content((), (self.times, *self.images))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(content.arrays[0], content.arrays[1:])


@dataclass(frozen=True)
class Encoded(Body, kind=Kind.ENCODED):
    """Rank -> 0: the next bytes of the part. last: it is complete with them. problem: it will not
    be, and why."""

    content: bytes
    last: bool = False
    problem: str = ""

    def pack(self) -> Content:
        return Content((int(self.last),), (text_array(self.problem), bytes_array(self.content)))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(content.arrays[1].tobytes(), bool(content.header[0]), content.text())
