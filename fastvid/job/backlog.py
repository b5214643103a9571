"""What rank 0 has fetched and not yet stored: of what, and how much it may be."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastvid.runfile.writer import SegmentRecord

# What is beyond it waits with the ranks, which hold no more than their lookahead.
MAX_BYTES = 48 << 20
MIN_SEGMENTS = 2


@dataclass
class ArrivedSegment:
    """Fetched, and to be stored. frames: (styles, H, W, 3) uint8 RGB each."""

    record: SegmentRecord
    frames: list[np.ndarray]
    flows: list[np.ndarray]
    occlusions: list[np.ndarray]
    weights: Sequence[np.ndarray]

    @property
    def nbytes(self) -> int:
        """What its arrays take."""
        groups = self.frames, self.flows, self.occlusions, self.weights
        return sum(array.nbytes for group in groups for array in group)


class Backlog:
    """Segments that are fetched but not yet stored: at most so many bytes, and at least some
    segments. From any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._segments = 0
        self._segment_bytes = 0  # the most that one had; 0 until one is here

    def room(self) -> bool:
        """Whether another segment may be fetched now."""
        with self._lock:
            if self._segments < MIN_SEGMENTS:
                return True
            # All ranks finish their first segments at about the same time.
            known = self._segment_bytes > 0
            return known and (self._segments + 1) * self._segment_bytes <= self._max_bytes

    def expect(self) -> None:
        """Notes that a segment is on its way here."""
        with self._lock:
            self._segments += 1

    def arrived(self, size_bytes: int) -> None:
        """Notes the size of a segment that is here."""
        with self._lock:
            self._segment_bytes = max(self._segment_bytes, size_bytes)

    def stored(self) -> None:
        """Notes that a segment is stored."""
        with self._lock:
            self._segments -= 1
