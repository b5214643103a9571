"""How steady the seams of a run are beside the rest of it."""

import math
import statistics
from collections.abc import Iterable, Sequence


class SeamReport:
    """Collects temporal errors, frame by frame, and where stretches were joined.

    seam_frames: how many frames of a stretch count as its seam.
    """

    def __init__(self, seam_frames: int) -> None:
        self._seam_frames = seam_frames
        self._errors: dict[int, float] = {}
        self._seams: set[int] = set()

    def add(self, start: int, errors: Iterable[float]) -> None:
        """Notes the errors of the frames from `start` on, 8-bit levels; NaN where there is none."""
        self._errors.update(
            (index, error) for index, error in enumerate(errors, start) if not math.isnan(error)
        )

    def add_seam(self, start: int) -> None:
        """Notes that a stretch that begins with this frame was joined to the one before it."""
        self._seams.add(start)

    def describe(self) -> str | None:
        """A line for the user, None if there was no seam, or nothing beside it."""
        return describe_ratios(seam_ratios(self._errors, sorted(self._seams), self._seam_frames))


def describe_ratios(ratios: Sequence[float]) -> str | None:
    """What `seam_ratios` found, as a line for the user; None if that is nothing."""
    if not ratios:
        return None
    count = "1 seam" if len(ratios) == 1 else f"{len(ratios)} seams"
    return (
        f"{count}: temporal error {statistics.mean(ratios):.2f} times the median elsewhere "
        f"({max(ratios):.2f} at the worst)"
    )


def seam_ratios(errors: dict[int, float], seams: Sequence[int], seam_frames: int) -> list[float]:
    """For each seam the mean error of its frames, over the median of all frames at no seam.

    errors: by frame, against the frame before it. A seam is `seam_frames` frames from its first on.
    Empty if there are no errors elsewhere, or they are zero.
    """
    inside = {index for start in seams for index in range(start, start + seam_frames)}
    elsewhere = [error for index, error in errors.items() if index not in inside]
    median = statistics.median(elsewhere) if elsewhere else 0.0
    if median == 0:
        return []
    at_seams = (
        [errors[index] for index in range(start, start + seam_frames) if index in errors]
        for start in seams
    )
    return [statistics.mean(found) / median for found in at_seams if found]
