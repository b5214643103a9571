"""Rank 0's side of shared encoding: once all frames are stored, ranks that have nothing else to do
encode parts of the video.

One encoder is slower than many ranks: libx264, medium, takes 0.05 s a frame of 1280x720 on one core
and 0.11 s of 1920x1080, and 64 ranks paint 80 and 40 frames a second. It runs while they compute,
but most of the film would be left to it at the end. Parts are of equal length and begin with a key
frame, so that the video does not depend on who has encoded them.
"""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import astuple
from typing import Protocol

import numpy as np

from fastvid.parallel.communicator import Communicator, Kind, Message
from fastvid.parallel.encoding import PartOrder

# Frames on their way to the ranks that encode: at most about this much at a time.
_MAX_OUTGOING_BYTES = 32 << 20
_log = logging.getLogger(__name__)


class PartSource(Protocol):
    """The parts of all outputs."""

    def lend_part(self) -> PartOrder | None:
        """A part for another rank to encode; None if there is none, or none yet."""

    def plan_text(self, style: int) -> str:
        """How the parts of an output are to be encoded."""

    def want(self, order: PartOrder, rank: int, start: int, stop: int) -> None:
        """Asks for the frames [start, stop) of a part that was lent; they come out of
        `pictures`."""

    def pictures(self) -> tuple[int, np.ndarray, Sequence[np.ndarray]] | None:
        """The next frames that somebody wanted: the rank, their times (N, 2) int64, the images;
        None if there are none."""

    def arrived(self, order: PartOrder, content: bytes, last: bool) -> None:
        """Takes the next bytes of a part, the last ones or not."""

    def returned(self, order: PartOrder) -> None:
        """A part that was lent will not come."""


class Helpers:
    """The ranks that encode for rank 0."""

    def __init__(self, comm: Communicator, source: PartSource) -> None:
        self._comm = comm
        self._source = source
        # One rank of each host after the other: they share its memory and its network.
        firsts = [sum(peer.host == other.host for other in comm.peers[: peer.rank])
                  for peer in comm.peers]
        others = (rank for rank in range(comm.size) if rank != comm.rank)
        self._free = deque(sorted(others, key=lambda rank: (firsts[rank], rank)))
        self._busy: dict[int, PartOrder] = {}

    def step(self) -> bool:
        """Gives parts to ranks and sends them frames; whether there was anything to do."""
        active = False
        while self._free and (order := self._source.lend_part()) is not None:
            rank = self._free.popleft()
            self._busy[rank] = order
            self._comm.send_text(rank, Kind.ENCODE, self._source.plan_text(order.style),
                                 astuple(order))
            active = True
        while self._comm.outgoing_bytes() < _MAX_OUTGOING_BYTES:
            pictures = self._source.pictures()
            if pictures is None:
                break
            rank, times, images = pictures
            self._comm.send(rank, Kind.PICTURES, [], [times, *images])
            active = True
        return active

    def handle(self, message: Message) -> bool:
        """Reacts to a message of a rank that encodes; whether it was one."""
        if message.kind not in (Kind.WANT, Kind.ENCODED):
            return False
        rank = message.source
        order = self._busy.get(rank)
        if order is None:
            return True  # what it has sent before it gave up
        if message.kind is Kind.WANT:
            _, start, stop = message.header
            self._source.want(order, rank, start, stop)
            return True
        last, problem = bool(message.header[-1]), message.text(0)
        if problem:
            _log.warning("rank %d can't encode for rank 0: %s", rank, problem)
            self._source.returned(order)
            del self._busy[rank]
            return True
        self._source.arrived(order, message.arrays[1].tobytes(), last)
        if last:
            del self._busy[rank]
            self._free.append(rank)
        return True
