"""Rank 0's side of shared encoding: ranks that ask for work encode parts of the video.

One encoder is slower than many ranks: libx264, medium, takes 0.05 s a frame of 1280x720 on one core
and 0.11 s of 1920x1080, and 64 ranks paint 80 and 40 frames a second. Rank 0 encodes frames as they
come; a part that is stored as a whole before rank 0 has begun it goes to the next rank that asks
for work, before any segment: the work is the same, and little is left for the end. Which frames
make a part is a matter of the film (`fastvid.encode.encoded_parts`) and begins with a key frame, so
that the video does not depend on who has encoded it.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from fastvid.encode.shared_encoding import SharedEncoding
from fastvid.parallel.dispatch import receives_from
from fastvid.parallel.engine.encoding import PartOrder
from fastvid.parallel.messages import Encode, Encoded, Pictures, Want
from fastvid.parallel.mpi.communicator import Communicator

# Frames on their way to the ranks that encode: at most about this much at a time.
_MAX_OUTGOING_BYTES = 32 << 20
# Ranks that have a part and no frame of it yet: while there are more to paint, others do not join
# them in waiting for rank 0.
_MAX_BEGINNING = 4
_log = logging.getLogger(__name__)


class Lender(Protocol):
    """Who deals the segments (`fastvid.parallel.coordinator.Coordinator`)."""

    @property
    def done(self) -> bool:
        """Whether there are none left."""

    def waiting_ranks(self) -> Sequence[int]:
        """The other ranks that have asked for work and have none yet."""

    def borrow(self, rank: int) -> None:
        """Gives a waiting rank something else to do."""

    def give_back(self, rank: int) -> None:
        """A rank that was borrowed waits for work again."""


class EncodingRanks:
    """The ranks that encode for rank 0.

    shared: the parts of each output that is shared, by its number. lender: who else gives them
    work. at_a_time: how many ranks of a host may encode at once; of hosts that it lacks, all.
    """

    def __init__(
        self,
        comm: Communicator,
        shared: Mapping[int, SharedEncoding],
        lender: Lender,
        at_a_time: Mapping[str, int],
    ) -> None:
        self._comm = comm
        self._shared = shared
        self._lender = lender
        self._at_a_time = at_a_time
        self._busy: dict[int, PartOrder] = {}
        self._beginning: set[int] = set()
        self._unable: set[int] = set()
        self.receivers = (
            receives_from(Want, self._send_wanted),
            receives_from(Encoded, self._take_encoded),
        )

    def step(self) -> bool:
        """Gives parts to ranks and sends them frames; whether there was anything to do."""
        active = False
        for style, shared in self._shared.items():
            while (
                self._may_lend(shared)
                and (rank := self._next_rank()) is not None
                and (part := shared.lend()) is not None
            ):
                order = PartOrder(style, *part, shared.threads)
                self._lender.borrow(rank)
                self._busy[rank] = order
                self._beginning.add(rank)
                self._comm.send(rank, Encode(order, shared.plan))
                active = True
            while (
                self._comm.outgoing_bytes() < _MAX_OUTGOING_BYTES
                and (pictures := shared.pictures()) is not None
            ):
                rank, times, images = pictures
                self._beginning.discard(rank)
                self._comm.send(rank, Pictures(times, tuple(images)))
                active = True
        return active

    def _may_lend(self, shared: SharedEncoding) -> bool:
        """Whether a rank that takes a part now would get its frames before long. Once all is
        painted there is nothing better for it to do."""
        few = len(self._beginning) < _MAX_BEGINNING and not shared.behind()
        return few or self._lender.done

    def _next_rank(self) -> int | None:
        """Who is to have the next part: who asked first, on a host with as few that encode as
        any, for they share its memory and its network. None if nobody waits that has room."""
        peers = self._comm.peers
        encoding = Counter(peers[rank].host for rank in self._busy)
        able = [
            rank
            for rank in self._lender.waiting_ranks()
            if rank not in self._unable
            and encoding[peers[rank].host] < self._at_a_time.get(peers[rank].host, len(peers))
        ]
        return min(able, key=lambda rank: encoding[peers[rank].host], default=None)

    def _send_wanted(self, rank: int, wanted: Want) -> None:
        order = self._busy.get(rank)
        if order is not None:  # else it has given up since
            self._shared[order.style].want(rank, wanted.start, wanted.stop)

    def _take_encoded(self, rank: int, encoded: Encoded) -> None:
        order = self._busy.get(rank)
        if order is None:
            return
        shared = self._shared[order.style]
        if encoded.problem:
            _log.warning("rank %d can't encode for rank 0: %s", rank, encoded.problem)
            shared.returned(order.part)
            self._unable.add(rank)
        else:
            shared.arrived(order.part, encoded.content, encoded.last)
        if encoded.problem or encoded.last:
            del self._busy[rank]
            self._beginning.discard(rank)
            self._lender.give_back(rank)
