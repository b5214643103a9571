"""Rank 0's side of looking for cuts where every rank decodes: it asks the others to.

To look for cuts a film has to be decoded, which takes rank 0 more than all that it does besides,
and there is but one. The film is shared out in parts of a few frames. A rank that asks for work
looks through such a part first, if that is needed before long, and waits for a segment then: a part
takes it about as long as painting one frame. The cuts are those that one look at all of the film
would find (`fastvid.decode.cuts`).
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fastvid.decode.cuts import FRAMES_BEFORE, FRAMES_BEHIND
from fastvid.decode.frame import Frame
from fastvid.parallel import messages
from fastvid.parallel.dispatch import receives_from
from fastvid.parallel.encoders import Lender
from fastvid.parallel.engine.reading import CutsRequest, FoundCuts
from fastvid.parallel.mpi.communicator import Communicator

# The frames around a part, and those from the key frame to it, are decoded once more for it.
CUT_PART_FRAMES = 32
# Parts for each rank that are looked through before they are needed.
_AHEAD_A_RANK = 2


class CutSearch:
    """The parts of a film, and which ranks look through them.

    frame_count: of the film. part_frames: of each part but the last. receivers: of the messages for
    rank 0.
    """

    def __init__(
        self, comm: Communicator, frame_count: int, part_frames: int = CUT_PART_FRAMES
    ) -> None:
        self._comm = comm
        self._frame_count = frame_count
        self._part_frames = part_frames
        self._next_start = 0
        self._done: list[int] = []  # ranks that have told what they found
        self._changed = threading.Condition()
        self._found: dict[int, FoundCuts] = {}
        self._needed = 0  # the frame that is waited for
        self._ended = False
        self.receivers = (receives_from(messages.CutsFound, self._take_found),)

    def step(self, lender: Lender) -> bool:
        """Gives parts to ranks that wait for work; whether there was anything to do.

        lender: who deals the segments.
        """
        active = bool(self._done)
        while self._done:
            lender.give_back(self._done.pop())
        ahead = self._needed + _AHEAD_A_RANK * self._comm.size * self._part_frames
        while self._next_start < min(ahead, self._frame_count) and (
            waiting := lender.waiting_ranks()
        ):
            lender.borrow(waiting[0])
            self._comm.send(waiting[0], messages.FindCuts(self._next_part()))
            active = True
        return active

    def _next_part(self) -> CutsRequest:
        start = self._next_start
        self._next_start = stop = min(start + self._part_frames, self._frame_count)
        first = max(0, start - FRAMES_BEFORE)
        return CutsRequest(start, stop, first, min(self._frame_count, stop + FRAMES_BEHIND))

    def _take_found(self, rank: int, found: messages.CutsFound) -> None:
        self._done.append(rank)
        with self._changed:
            self._found[found.found.start] = found.found
            self._changed.notify_all()

    # -- in the thread that cuts the film into segments ------------------------------------------

    def marked(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        """Each frame of the film, in order, with its checksum and whether a shot begins with it;
        waits for the ranks, in another thread than they are heard in. Ends early after `end`."""
        found: FoundCuts | None = None
        for frame in frames:
            if found is None or frame.index >= found.start + len(found.checksums):
                found = self._wait_for(frame.index)
                if found is None:
                    return
            total = found.checksums[frame.index - found.start]
            yield replace(frame, checksum=total), frame.index in found.cuts

    def _wait_for(self, start: int) -> FoundCuts | None:
        """The cuts of the part that begins there; None after `end`."""
        self._needed = start
        self._comm.wake()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or start in self._found)
            return self._found.pop(start, None)

    def end(self) -> None:
        """Nobody waits for ranks any more; from any thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
