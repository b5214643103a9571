"""Rank 0's side of shared encoding: once all frames are stored, ranks that have nothing else to do
encode parts of the video.

One encoder is slower than many ranks: libx264, medium, takes 0.05 s a frame of 1280x720 on one core
and 0.11 s of 1920x1080, and 64 ranks paint 80 and 40 frames a second. It runs while they compute,
but most of the film would be left to it at the end. Parts are of equal length and begin with a key
frame, so that the video does not depend on who has encoded them.
"""

import logging
from collections import deque
from collections.abc import Mapping

from fastvid.encode.shared_encoding import SharedEncoding
from fastvid.parallel.dispatch import receives_from
from fastvid.parallel.engine.encoding import PartOrder
from fastvid.parallel.messages import Encode, Encoded, Pictures, Want
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.peer import local_ranks

# Frames on their way to the ranks that encode: at most about this much at a time.
_MAX_OUTGOING_BYTES = 32 << 20
_log = logging.getLogger(__name__)


class EncodingRanks:
    """The ranks that encode for rank 0.

    shared: the parts of each output that is shared, by its number.
    """

    def __init__(self, comm: Communicator, shared: Mapping[int, SharedEncoding]) -> None:
        self._comm = comm
        self._shared = shared
        # One rank of each host after the other: they share its memory and its network.
        numbers = local_ranks(comm.peers)
        others = (rank for rank in range(comm.size) if rank != comm.rank)
        self._free = deque(sorted(others, key=lambda rank: (numbers[rank], rank)))
        self._busy: dict[int, PartOrder] = {}
        self.receivers = (
            receives_from(Want, self._send_wanted),
            receives_from(Encoded, self._take_encoded),
        )

    def step(self) -> bool:
        """Gives parts to ranks and sends them frames; whether there was anything to do."""
        active = False
        for style, shared in self._shared.items():
            while self._free and (part := shared.lend()) is not None:
                rank, order = self._free.popleft(), PartOrder(style, *part, shared.threads)
                self._busy[rank] = order
                self._comm.send(rank, Encode(order, shared.plan))
                active = True
            while (
                self._comm.outgoing_bytes() < _MAX_OUTGOING_BYTES
                and (pictures := shared.pictures()) is not None
            ):
                rank, times, images = pictures
                self._comm.send(rank, Pictures(times, tuple(images)))
                active = True
        return active

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
            del self._busy[rank]
            return
        shared.arrived(order.part, encoded.content, encoded.last)
        if encoded.last:
            del self._busy[rank]
            self._free.append(rank)
