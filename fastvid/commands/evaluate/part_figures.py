"""What is told of the parts of a picture that are painted in their own ways."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fastvid.commands.evaluate.metrics import Mean, temporal_rmse

# Names of the parts, and what tells where each is in the latest frame: (H, W) bool.
Parts = tuple[Sequence[str], Callable[[], Sequence[np.ndarray]]]


@dataclass(frozen=True)
class PartFigures:
    """The figures of a part. share: of the picture, 0..1. output, film, painted: temporal RMSE of
    its pixels, in 8-bit levels; None where there is none."""

    name: str
    share: float
    output: float | None
    film: float | None
    painted: float | None


class PartTotals:
    """The running means of a part. columns: how many videos are judged: the result, the film, and
    frame-by-frame painting if that is there."""

    def __init__(self, name: str, columns: int) -> None:
        self._name = name
        self._share = Mean()
        self._errors = [Mean() for _ in range(columns)]

    def add(
        self,
        row: Sequence[np.ndarray],
        before: Sequence[np.ndarray],
        backward: np.ndarray,
        reliable: np.ndarray,
        where: np.ndarray,
    ) -> None:
        """Counts one pair of frames of each video. where: the part is in the later one."""
        self._share.add(float(where.mean()))
        inside = reliable & where
        for errors, image, image_before in zip(self._errors, row, before, strict=True):
            errors.add(temporal_rmse(image, image_before, backward, inside))

    def figures(self) -> PartFigures:
        """What was counted so far."""
        output, film, *painted = (errors.value for errors in self._errors)
        return PartFigures(
            self._name, self._share.value or 0.0, output, film, painted[0] if painted else None
        )


def part_lines(parts: Sequence[PartFigures]) -> list[str]:
    """The figures of the parts as lines of text."""
    if not parts:
        return []
    lines = ["temporal RMSE by part (share of the picture): result, frame by frame, film"]
    for part in parts:
        values = (
            "-" if value is None else f"{value:.2f}"
            for value in (part.output, part.painted, part.film)
        )
        lines.append(f"  {part.name} ({part.share:.1%}): {', '.join(values)}")
    return lines
