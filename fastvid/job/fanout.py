"""The coordinator's sink: splits finished segments by style, one gatherer for each."""

from collections.abc import Sequence

import numpy as np

from fastvid.job.gather import Gatherer
from fastvid.runfile.writer import RankRows, SegmentRecord


class FanOut:
    """Several gatherers as one; finished frames are (styles, H, W, 3), in the gatherers' order.

    shared: what other ranks may encode, by style (see `fastvid.parallel.encoders`).
    """

    def __init__(self, gatherers: Sequence[Gatherer]) -> None:
        self._gatherers = gatherers
        self.shared = {
            style: gatherer.shared
            for style, gatherer in enumerate(gatherers)
            if gatherer.shared is not None
        }

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

    def put(
        self,
        record: SegmentRecord,
        frames: list[np.ndarray],
        flows: list[np.ndarray],
        occlusions: list[np.ndarray],
    ) -> None:
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
