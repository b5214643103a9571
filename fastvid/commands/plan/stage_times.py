"""Seconds of what is timed, by the wall clock and by the processor."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class StageTimes:
    """Seconds of named stages, each as often as it was timed."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wall_s: float = 0.0
    processor_s: float = 0.0

    @contextmanager
    def timing(self, stage: str, by_wall_clock: bool = False) -> Iterator[None]:
        """Times what is done inside."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        self.wall_s += wall
        self.processor_s += processor
        taken = wall if by_wall_clock else min(wall, processor)
        self.seconds.setdefault(stage, []).append(taken)

    def median(self, stage: str) -> float:
        """Of one stage; 0 if it was never timed."""
        return statistics.median(self.seconds.get(stage, [0.0]))

    def mean(self, stage: str) -> float:
        """Of one stage; 0 if it was never timed."""
        return statistics.fmean(self.seconds.get(stage, [0.0]))
