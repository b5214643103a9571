"""What a frame costs, and who works on it: all that a forecast is made of."""

from dataclasses import dataclass, replace

from fastvid.encode.encoded_parts import PART_FRAMES
from fastvid.parallel.segments import SegmentLengths
from fastvid.stages.overlap import Overlap


@dataclass(frozen=True)
class FrameCosts:
    """Seconds a frame. motion, paint, blend: of the ranks, and read, where they decode for
    themselves. decode, cuts (looking for them), deal and fetch (sending and receiving frames), and
    store are rank 0's own. encode is too, but where shares_encoding other ranks take the parts that
    it has not begun."""

    motion: float
    paint: float
    blend: float
    read: float = 0.0
    decode: float = 0.0
    cuts: float = 0.0
    deal: float = 0.0
    fetch: float = 0.0
    store: float = 0.0
    encode: float = 0.0
    shares_encoding: bool = True

    @property
    def compute(self) -> float:
        """What is shared among the ranks."""
        return self.motion + self.paint + self.blend

    @property
    def side(self) -> float:
        """What rank 0 does besides."""
        return self.take_in + self.deal + self.fetch + self.store + self.encode

    @property
    def take_in(self) -> float:
        """What rank 0 does before a frame can be dealt."""
        return self.decode + self.cuts

    def encoding_left(self, seconds: float, ranks: int, part_frames: int) -> float:
        """How long it takes to encode what takes one encoder so many seconds, once all frames are
        stored. A part, of so many frames, is encoded by one rank."""
        if not self.shares_encoding:
            return seconds
        return max(seconds / ranks, min(seconds, part_frames * self.encode))

    def read_by_ranks(self, decoded: float, cuts_known: bool) -> "FrameCosts":
        """The same where every rank reads its own frames. decoded: frames that it decodes for each
        that it uses. cuts_known: they need not look for cuts."""
        read = decoded * self.decode + (0.0 if cuts_known else self.cuts)
        return replace(self, read=read, deal=0.0, decode=0.0, cuts=0.0)


@dataclass(frozen=True)
class Dealing:
    """How a job is dealt. segment_length: frames. lookahead: segments that a rank may hold. hop_s:
    from the sending of a message to its handling. preempts: whether the temporal pass interrupts a
    heavy step (motion, paint) at work, as the program does, instead of waiting for its end.
    overlap: how shots are cut into stretches, None if they are not. part_frames: the length of the
    parts in which the film is encoded. shorter_at_end: whether segments become shorter towards the
    end of the film, as in the program. bands: of a frame, of which the temporal pass takes one at a
    time."""

    segment_length: int
    lookahead: int
    hop_s: float
    preempts: bool = True
    overlap: Overlap | None = None
    part_frames: int = PART_FRAMES
    shorter_at_end: bool = True
    bands: int = 1


@dataclass(frozen=True)
class Cluster:
    """Who works on a job.

    speeds: of each rank against the costs, rank 0 first. side_share: the part of rank 0's own work,
    and of what a rank reads itself, that is taken from its steps: 1 where both have one core, 1/N
    where they share N, 0 where a core is spare.
    """

    speeds: tuple[float, ...]
    dealing: Dealing
    side_share: float

    @property
    def ranks(self) -> int:
        """How many there are."""
        return len(self.speeds)

    def segment_lengths(self, frames: int) -> SegmentLengths:
        """How long the segments of a film of so many frames are."""
        known = frames if self.dealing.shorter_at_end else None
        return SegmentLengths(self.dealing.segment_length, known, self.ranks)
