"""The finished frames before segments, on a rank: those that come in, and those that go out.

Such a frame may come whole or in parts, and before its segment or after it; it goes out as soon as
rank 0 has said to whom.
"""

import numpy as np

from fastvid.parallel import segment_messages
from fastvid.parallel.dealer import NOBODY
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.task import LastFrame, LastRows, PartlyFinished
from fastvid.parallel.mpi.communicator import Communicator


class Incoming:
    """The frames before this rank's segments, on their way to the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Whole, before their segments, and those of which parts are here.
        self._early: dict[int, np.ndarray] = {}
        self._arriving: dict[int, PartlyFinished] = {}
        # Of the segments whose frame is known in some styles: these.
        self._known: dict[int, segment_messages.Boundary] = {}

    def take(self, boundary: segment_messages.Boundary, present: bool) -> bool:
        """Takes a message; whether the frame of its segment is whole now. present: the segment is
        here."""
        segment, image = boundary.segment, boundary.image
        if boundary.styles:
            self._known[segment] = boundary
            return False
        if boundary.height:
            if not self._add_rows(boundary):
                if present:
                    self._hand_rows(segment)
                return False
            image = self._arriving.pop(segment).image
        if present:
            self._hand(segment, image)
        else:
            self._early[segment] = image
        return True

    def begin(self, segment: int) -> None:
        """The segment is here: it takes what has come before it."""
        image = self._early.pop(segment, None)
        if image is not None:
            self._hand(segment, image)
        elif segment in self._arriving:
            self._hand_rows(segment)

    def _add_rows(self, boundary: segment_messages.Boundary) -> bool:
        """Adds a part of a frame to what is here of it; whether it is whole now."""
        styles, count, *rest = boundary.image.shape
        if boundary.first == 0:
            whole = np.empty((styles, boundary.height, *rest), boundary.image.dtype)
            self._arriving[boundary.segment] = PartlyFinished(whole)
        arriving = self._arriving[boundary.segment]
        assert arriving.rows == boundary.first
        stop: int = boundary.first + count
        arriving.image[:, boundary.first : stop] = boundary.image
        arriving.rows = stop
        return stop == boundary.height

    def _hand_rows(self, segment: int) -> None:
        """Hands what is here of a frame to the engine, unless some styles come from elsewhere."""
        if segment not in self._known:
            self._engine.hand_rows(segment, self._arriving[segment])

    def _hand(self, segment: int, image: np.ndarray) -> None:
        """Hands a frame to the engine; styles of which an earlier run has it take that one."""
        known = self._known.pop(segment, None)
        if known is not None:
            image = image.copy()  # its owner delivers it as it is
            image[list(known.styles)] = known.image
        self._engine.hand_boundary(segment, image)


class Outgoing:
    """The last frames of this rank's segments, on their way to who has the next ones."""

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self._successors: dict[int, int] = {}
        # Frames, or parts of them, whose successors are not known yet.
        self._waiting: dict[int, list[LastRows]] = {}

    def successor(self, segment: int) -> int:
        """Who needs the last frame of a segment and does not have it yet; NOBODY if nobody is
        known."""
        return self._successors.get(segment, NOBODY)

    def note_successor(self, successor: segment_messages.Successor) -> None:
        """Rank 0 has said who needs it, if anybody does."""
        self._successors[successor.segment] = successor.rank
        self._send(successor.segment)

    def finished(self, last: LastFrame | LastRows) -> None:
        """The last frame of a segment is finished, or some rows of it are."""
        if isinstance(last, LastFrame):
            last = LastRows(last.segment, 0, last.image, 0)
        self._waiting.setdefault(last.segment, []).append(last)
        self._send(last.segment)

    def _send(self, segment: int) -> None:
        if segment not in self._successors or segment not in self._waiting:
            return
        successor = self._successors[segment]
        for rows in self._waiting.pop(segment):
            if successor != NOBODY:
                boundary = segment_messages.Boundary(
                    segment + 1, rows.image, rows.first, rows.height
                )
                self._comm.send(successor, boundary)
            if rows.first + rows.image.shape[1] == rows.height or not rows.height:
                del self._successors[segment]
