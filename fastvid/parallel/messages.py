"""What the ranks tell each other: the body of each kind of message.

How a body becomes numbers and arrays is known where it is declared, and nowhere else. Frames are
not copied on the way. Here is what a job or a training says of itself, and what the ranks that
encode and rank 0 say; `fastvid.parallel.segment_messages` has the segments, and
`fastvid.parallel.mpi.message` leaving and stopping.
"""

import json
from dataclasses import dataclass
from typing import Self

import numpy as np

from fastvid.decode.film_index import SourceIndex, index_arrays, index_from_arrays
from fastvid.encode.plan import OutputPlan, plan_of_text
from fastvid.parallel.engine.encoding import PartOrder
from fastvid.parallel.engine.reading import CutsRequest, FoundCuts
from fastvid.parallel.mpi.message import Body, Content, Kind, Signal, bytes_array, text_array
from fastvid.parallel.setup import JobSetup

# -- a job, from its beginning to its end ----------------------------------------------------------


@dataclass(frozen=True)
class Look(Body, kind=Kind.LOOK, any_job=True):
    """Rank 0 -> all: what do you see of this input? path: absolute."""

    path: str

    def pack(self) -> Content:
        return Content((), (text_array(self.path),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(content.text())


@dataclass(frozen=True)
class Seen(Body, kind=Kind.SEEN, any_job=True):
    """Rank -> 0: the fingerprint of the input, or, not `readable`, why it can't be read.

    job: the one of the question; the rank itself is in none yet.
    """

    job: int
    readable: bool
    text: str

    def pack(self) -> Content:
        return Content((self.job, int(self.readable)), (text_array(self.text),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        job, readable = content.header
        return cls(job, bool(readable), content.text())


@dataclass(frozen=True)
class Setup(Body, kind=Kind.SETUP, any_job=True, turning_point=True):
    """Rank 0 -> all: a job begins."""

    job_setup: JobSetup

    def pack(self) -> Content:
        return Content((), tuple(self.job_setup.arrays()))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(JobSetup.from_message(content))


@dataclass(frozen=True)
class Film(Body, kind=Kind.FILM):
    """Rank 0 -> all: read your frames yourself, by this index."""

    index: SourceIndex

    def pack(self) -> Content:
        return Content((), tuple(index_arrays(self.index)))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(index_from_arrays(content.arrays))


@dataclass(frozen=True)
class FindCuts(Body, kind=Kind.FIND_CUTS):
    """0 -> rank: look for cuts in this part of the film."""

    request: CutsRequest

    def pack(self) -> Content:
        request = self.request
        return Content((request.start, request.stop, request.first, request.end))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(CutsRequest(*content.header))


@dataclass(frozen=True)
class CutsFound(Body, kind=Kind.CUTS_FOUND):
    """Rank -> 0: the cuts in a part of the film."""

    found: FoundCuts

    def pack(self) -> Content:
        found = self.found
        return Content((found.start, *found.cuts), (np.array(found.checksums, np.int64),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        start, *cuts = content.header
        return cls(FoundCuts(start, tuple(cuts), tuple(content.arrays[0].tolist())))


@dataclass(frozen=True)
class End(Signal, kind=Kind.END, turning_point=True):
    """Rank 0 -> all: this job is over."""


@dataclass(frozen=True)
class Train(Body, kind=Kind.TRAIN, any_job=True, turning_point=True):
    """Rank 0 -> all: a training begins, with these options; its ranks meet at that address.

    options: plain values by name, as JSON has them.
    """

    options: dict[str, object]
    address: str
    port: int

    def pack(self) -> Content:
        return Content((self.port,), (text_array(json.dumps([self.address, self.options])),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        address, options = json.loads(content.text())
        return cls(options, address, *content.header)


@dataclass(frozen=True)
class Heartbeat(Body, kind=Kind.HEARTBEAT):
    """Rank -> 0, 0 -> rank: alive. doing: what it is at. bytes_sent: so far."""

    doing: str
    bytes_sent: int

    def pack(self) -> Content:
        return Content((self.bytes_sent,), (text_array(self.doing),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(content.text(), *content.header)


@dataclass(frozen=True)
class Failure(Body, kind=Kind.FAILURE):
    """Rank -> 0: what went wrong, for the user, and the exit status that goes with it.

    order_needed: the rank can't read frames by itself (`fastvid.errors.OrderNeeded`).
    """

    text: str
    exit_status: int
    order_needed: bool = False

    def pack(self) -> Content:
        return Content((self.exit_status, int(self.order_needed)), (text_array(self.text),))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        exit_status, order_needed = content.header
        return cls(content.text(), exit_status, bool(order_needed))


# -- a part of the video that another rank encodes -------------------------------------------------


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
