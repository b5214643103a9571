"""What a frame costs, and who works on it: all that a forecast is made of."""

from dataclasses import dataclass

from fastvid.overlap import Overlap


@dataclass(frozen=True)
class FrameCosts:
    """Seconds a frame. motion, paint, blend: of the ranks. decode, store, encode and relay
    (receiving and sending frames) are rank 0's own."""

    motion: float
    paint: float
    blend: float
    decode: float = 0.0
    store: float = 0.0
    encode: float = 0.0
    relay: float = 0.0

    @property
    def compute(self) -> float:
        """What is shared among the ranks."""
        return self.motion + self.paint + self.blend

    @property
    def side(self) -> float:
        """What rank 0 does besides."""
        return self.decode + self.store + self.encode + self.relay


@dataclass(frozen=True)
class Dealing:
    """How a job is dealt. segment_length: frames. lookahead: segments that a rank may hold. hop_s:
    from the sending of a message to its handling. preempts: whether the temporal pass interrupts a
    heavy step (motion, paint) at work, as the program does, instead of waiting for its end.
    overlap: how shots are cut into stretches, None if they are not."""

    segment_length: int
    lookahead: int
    hop_s: float
    preempts: bool = True
    overlap: Overlap | None = None


@dataclass(frozen=True)
class Cluster:
    """Who works on a job.

    speeds: of each rank against the costs, rank 0 first. side_share: the part of rank 0's own work
    that is taken from its steps: 1 where both have one core, 1/N where they share N, 0 where a core
    is spare.
    """

    speeds: tuple[float, ...]
    dealing: Dealing
    side_share: float

    @property
    def ranks(self) -> int:
        """How many there are."""
        return len(self.speeds)
