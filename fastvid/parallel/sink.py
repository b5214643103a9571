"""Where the coordinator's finished segments go, as it sees it (`fastvid.job.gather.Gatherer`)."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fastvid.runfile.writer import SegmentRecord


class Sink(Protocol):
    """Where finished segments go."""

    def lacking(self, start: int, stop: int) -> frozenset[int]:
        """The styles in which not all frames of [start, stop) are stored yet."""

    def room(self) -> bool:
        """Whether another segment may be fetched now."""

    def expect(self) -> None:
        """Notes that a segment is on its way here."""

    def put(
        self,
        record: SegmentRecord,
        frames: list[np.ndarray],
        flows: list[np.ndarray],
        occlusions: list[np.ndarray],
        weights: Sequence[np.ndarray] = (),
    ) -> None:
        """Takes a finished segment, in any order."""

    def skip(self, start: int, stop: int) -> None:
        """Notes frames that were stored by an earlier run."""

    def look_up(self, index: int, styles: Sequence[int] = ()) -> None:
        """Asks for a frame that is stored in these styles, or in all; returns at once."""

    def looked_up(self) -> np.ndarray | None:
        """The next frame that was asked for, (styles, H, W, 3), black in styles that have the frame
        behind it too, and freed this one; None if it is not there yet."""
