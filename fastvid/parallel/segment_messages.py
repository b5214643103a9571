"""What the ranks tell each other of a segment, from its dealing to its gathering (see
`fastvid.parallel.messages`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np

from fastvid.parallel.engine.reading import ReadRequest
from fastvid.parallel.engine.task import Place, StageTime
from fastvid.parallel.mpi.message import Body, Content, Kind, Signal
from fastvid.stages.interface import STAGES, Stage


@dataclass(frozen=True)
class Request(Signal, kind=Kind.REQUEST):
    """Rank -> 0: I can take a segment."""


@dataclass(frozen=True)
class Segment(Body, kind=Kind.SEGMENT):
    """0 -> rank: frames to work on. images: from frame `place.first` on, (H, W, 3) uint8 RGB."""

    place: Place
    images: tuple[np.ndarray, ...]

    def pack(self) -> Content:
        return Content(_numbers(self.place), self.images)

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(_place(content.header), content.arrays)


@dataclass(frozen=True)
class Read(Body, kind=Kind.READ):
    """0 -> rank: frames to read and work on."""

    request: ReadRequest

    def pack(self) -> Content:
        checksums = np.array(self.request.checksums, np.int64)
        return Content(_numbers(self.request.place), (checksums,) if checksums.size else ())

    @classmethod
    def unpack(cls, content: Content) -> Self:
        checksums = tuple(content.arrays[0].tolist()) if content.arrays else ()
        return cls(ReadRequest(_place(content.header), checksums))


@dataclass(frozen=True)
class Successor(Body, kind=Kind.SUCCESSOR):
    """0 -> rank: the rank that needs the last frame of your segment (`dealer.NOBODY` for none)."""

    segment: int
    rank: int

    def pack(self) -> Content:
        return Content((self.segment, self.rank))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(*content.header)


@dataclass(frozen=True)
class Coming(Body, kind=Kind.COMING):
    """Rank -> rank: the boundary frame of your segment will be here soon, `hops` hand-overs on."""

    segment: int
    hops: int

    def pack(self) -> Content:
        return Content((self.segment, self.hops))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(*content.header)


@dataclass(frozen=True)
class Boundary(Body, kind=Kind.BOUNDARY):
    """Rank -> rank: the finished frame before your segment, (styles, H, W, 3) uint8 RGB.

    first, height: where a frame of that height comes in parts, in order, the image is its rows from
    the first one on; 0 and 0 for all of a frame. styles: those in the image. Where some are named,
    the frame as a whole comes from elsewhere, and these are to be taken from here; this is sent
    before the segment. Empty for all.
    """

    segment: int
    image: np.ndarray
    first: int = 0
    height: int = 0
    styles: tuple[int, ...] = ()

    def pack(self) -> Content:
        return Content((self.segment, self.first, self.height, *self.styles), (self.image,))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        segment, first, height, *styles = content.header
        return cls(segment, content.arrays[0], first, height, tuple(styles))


@dataclass(frozen=True)
class Finished(Body, kind=Kind.FINISHED):
    """Rank -> 0: a segment is ready to be fetched."""

    segment: int

    def pack(self) -> Content:
        return Content((self.segment,))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(*content.header)


@dataclass(frozen=True)
class Fetch(Body, kind=Kind.FETCH):
    """0 -> rank: send this segment."""

    segment: int

    def pack(self) -> Content:
        return Content((self.segment,))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        return cls(*content.header)


@dataclass(frozen=True)
class Result(Body, kind=Kind.RESULT):
    """Rank -> 0: a finished segment.

    times: of every stage. frames: (styles, H, W, 3) uint8 RGB. flows, (H, W, 2) float32, and
    occlusions, (H, W) uint8: one a frame where they are kept, else none. errors: the temporal error
    of each frame where somebody wants them, else none. weights, (regions, H, W) uint8: one a frame
    where they are kept.
    """

    segment: int
    times: Mapping[Stage, StageTime]
    frames: tuple[np.ndarray, ...]
    flows: tuple[np.ndarray, ...] = ()
    occlusions: tuple[np.ndarray, ...] = ()
    errors: tuple[float, ...] = ()
    weights: tuple[np.ndarray, ...] = ()

    def pack(self) -> Content:
        spans = [(self.times[stage].start, self.times[stage].seconds) for stage in STAGES]
        measured = np.concatenate([np.array(spans).ravel(), np.array(self.errors, np.float64)])
        groups = (self.frames, self.flows, self.occlusions, self.weights)
        images = (image for group in groups for image in group)
        return Content((self.segment, *map(len, groups)), (measured, *images))

    @classmethod
    def unpack(cls, content: Content) -> Self:
        segment, *counts = content.header
        measured, *images = content.arrays
        left = iter(images)
        frames, flows, occlusions, weights = (tuple(islice(left, count)) for count in counts)
        spans = measured[: 2 * len(STAGES)].reshape(-1, 2).tolist()
        return cls(
            segment,
            {stage: StageTime(*span) for stage, span in zip(STAGES, spans, strict=True)},
            frames,
            flows,
            occlusions,
            tuple(measured[2 * len(STAGES) :].tolist()),
            weights,
        )


def _numbers(place: Place) -> tuple[int, ...]:
    halo = int(place.has_halo)
    return (place.index, place.start, place.stop, halo, place.warm_up, place.group)


def _place(header: tuple[int, ...]) -> Place:
    index, start, stop, has_halo, warm_up, group = header
    return Place(index, start, stop, bool(has_halo), warm_up, group)
