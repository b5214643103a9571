"""The coordinator's sink: splits finished segments by style, one gatherer for each."""

from collections.abc import Sequence

import numpy as np

from fastvid.gather import Gatherer
from fastvid.parallel.encoding import PartOrder
from fastvid.runfile.writer import RankRows, SegmentRecord
from fastvid.shared_encoding import Pictures


class FanOut:
    """Several gatherers as one; finished frames are (styles, H, W, 3), in the gatherers' order."""

    def __init__(self, gatherers: Sequence[Gatherer]) -> None:
        self._gatherers = gatherers
        self._shared = {style: gatherer.shared for style, gatherer in enumerate(gatherers)
                        if gatherer.shared is not None}

    def has(self, start: int, stop: int) -> bool:
        """Whether the frames [start, stop) are stored in every style."""
        return all(gatherer.has(start, stop) for gatherer in self._gatherers)

    def room(self) -> bool:
        """Whether another segment may be fetched now."""
        return all(gatherer.room() for gatherer in self._gatherers)

    def expect(self) -> None:
        """Notes that a segment is on its way here."""
        for gatherer in self._gatherers:
            gatherer.expect()

    def put(self, record: SegmentRecord, frames: list[np.ndarray], flows: list[np.ndarray],
            occlusions: list[np.ndarray]) -> None:
        """Takes a finished segment, in any order."""
        for number, gatherer in enumerate(self._gatherers):
            gatherer.put(record, [frame[number] for frame in frames], flows, occlusions)

    def skip(self, start: int, stop: int) -> None:
        """Notes frames that were stored by an earlier run."""
        for gatherer in self._gatherers:
            gatherer.skip(start, stop)

    def stored_frame(self, index: int) -> np.ndarray:
        """A frame stored by an earlier run, (styles, H, W, 3) uint8."""
        return np.stack([gatherer.stored_frame(index) for gatherer in self._gatherers])

    # -- parts that other ranks encode (`fastvid.parallel.helpers.PartSource`) -------------------

    def lend_part(self) -> PartOrder | None:
        """A part for another rank to encode; None if there is none, or none yet."""
        for style, shared in self._shared.items():
            part = shared.lend()
            if part is not None:
                return PartOrder(style, *part, shared.threads)
        return None

    def plan_text(self, style: int) -> str:
        """How the parts of an output are to be encoded."""
        return self._shared[style].plan_text()

    def want(self, order: PartOrder, rank: int, start: int, stop: int) -> None:
        """Asks for frames of a part that was lent; they come out of `pictures`."""
        self._shared[order.style].want(rank, start, stop)

    def pictures(self) -> Pictures | None:
        """The next frames that somebody wanted: the rank, their times, and they."""
        for shared in self._shared.values():
            pictures = shared.pictures()
            if pictures is not None:
                return pictures
        return None

    def arrived(self, order: PartOrder, content: bytes, last: bool) -> None:
        """Takes the next bytes of a part, the last ones or not."""
        self._shared[order.style].arrived((order.first, order.stop), content, last)

    def returned(self, order: PartOrder) -> None:
        """A part that was lent will not come."""
        self._shared[order.style].returned((order.first, order.stop))

    # -- life ------------------------------------------------------------------------------------

    @property
    def frames_stored(self) -> int:
        """Frames that are stored in every style."""
        return min(gatherer.frames_stored for gatherer in self._gatherers)

    @property
    def frames_continued(self) -> int:
        """Frames that were there before this run, in every style."""
        return min(gatherer.frames_continued for gatherer in self._gatherers)

    def start(self) -> None:
        """Starts all threads."""
        for gatherer in self._gatherers:
            gatherer.start()

    def check(self) -> None:
        """Raises what went wrong in one of the threads, if anything did."""
        for gatherer in self._gatherers:
            gatherer.check()

    def note_ranks(self, rows: RankRows) -> None:
        """What was last heard of each rank."""
        for gatherer in self._gatherers:
            gatherer.note_ranks(rows)

    def store_seconds(self) -> float:
        """Seconds that storing has taken so far."""
        return sum(gatherer.busy.seconds for gatherer in self._gatherers)

    def cpu_seconds(self) -> float:
        """What storing has used of a core so far."""
        return sum(gatherer.busy.cpu_seconds for gatherer in self._gatherers)

    def finish(self) -> None:
        """Says that all segments were put; `alive` tells when all is done."""
        for gatherer in self._gatherers:
            gatherer.finish()

    def alive(self) -> bool:
        """Whether frames are still being stored or encoded."""
        return any(gatherer.alive() for gatherer in self._gatherers)

    def cancel(self) -> None:
        """Stops all threads; what is stored stays stored. Harmless when called again."""
        for gatherer in self._gatherers:
            gatherer.cancel()
