"""Judging a stylized video: every figure for the result, frame-by-frame painting and the film.

The flow that judges should not be the one that the filter used, or it would overlook its mistakes:
DeepFlow where the filter had DIS, or exact flow where it is known.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from fastvid.commands.evaluate.metrics import (
    Mean,
    contrast,
    fav_temporal_error,
    lai_temporal_error,
    sharpness,
    temporal_difference,
    temporal_rmse,
)
from fastvid.commands.evaluate.part_figures import PartFigures, Parts, PartTotals, part_lines
from fastvid.errors import InputError
from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import consistency_mask, motion_boundaries
from fastvid.stages.seam_report import describe_ratios, seam_ratios

# Flow from the first frame given to the second one, as FlowEstimator computes it.
Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]

# How far apart the frames of the long-range error are.
LONG_RANGE_FRAMES = 8


def judge_for(filter_method: str) -> FlowEstimator:
    """The flow that judges a video whose filter used the given method."""
    return FlowEstimator("dis-medium" if filter_method == "deepflow" else "deepflow")


@dataclass(frozen=True)
class Figures:
    """The figures of one video, each the mean over its pairs or frames; None where there is none.

    rmse, long_range_rmse: temporal RMSE in 8-bit levels, of neighbours and of frames 8 apart.
    fav, lai: the published temporal errors, on colours in [0, 1]. sharpness, contrast: in levels.
    difference: mean absolute difference of neighbours, in levels.
    """

    rmse: float | None
    long_range_rmse: float | None
    fav: float | None
    lai: float | None
    sharpness: float | None
    contrast: float | None
    difference: float | None

    @property
    def flicker(self) -> float | None:
        """The temporal RMSE relative to the contrast."""
        return _ratio(self.rmse, self.contrast)

    @property
    def long_range_flicker(self) -> float | None:
        """The same of frames that lie 8 apart."""
        return _ratio(self.long_range_rmse, self.contrast)


@dataclass(frozen=True)
class Evaluation:
    """The table: the result between its ceiling and its floor.

    output: the stylized video; painted: frame-by-frame painting, None if it wasn't given; film: the
    unpainted input. frames, pairs: how many were judged. reliable_share: of all pixels of the
    pairs, those that the judging flow could follow, 0..1. seam_ratios: of each seam of stretches
    the temporal RMSE of its frames, over the median of the other frames. parts: of a run with
    regions, the figures of each part.
    """

    output: Figures
    painted: Figures | None
    film: Figures
    frames: int
    pairs: int
    reliable_share: float
    seam_ratios: tuple[float, ...] = ()
    parts: tuple[PartFigures, ...] = ()


@dataclass
class _Totals:
    """The running means of one video."""

    rmse: Mean = field(default_factory=Mean)
    long_range_rmse: Mean = field(default_factory=Mean)
    fav: Mean = field(default_factory=Mean)
    lai: Mean = field(default_factory=Mean)
    sharpness: Mean = field(default_factory=Mean)
    contrast: Mean = field(default_factory=Mean)
    difference: Mean = field(default_factory=Mean)

    def figures(self) -> Figures:
        return Figures(
            self.rmse.value,
            self.long_range_rmse.value,
            self.fav.value,
            self.lai.value,
            self.sharpness.value,
            self.contrast.value,
            self.difference.value,
        )


def evaluate(
    outputs: Iterable[np.ndarray],
    frames: Iterable[np.ndarray],
    shots: Sequence[tuple[int, int]],
    flow: Flow,
    painted: Iterable[np.ndarray] | None = None,
    long_range: bool = True,
    seams: Sequence[int] = (),
    seam_frames: int = 0,
    parts: Parts = ((), list),
) -> Evaluation:
    """Judge a video, pair by pair, within shots.

    outputs: the stylized frames; frames: the film's, both (H, W, 3) uint8 RGB in order and of one
    size; painted: the same frames painted one by one. shots: [start, stop) of each, in order.
    flow: the judging flow, see `judge_for`. long_range: False leaves out the frames 8 apart, which
    takes half the time. seams, seam_frames: see `seam_ratios`. parts: names, and what tells where
    each part of the picture is in the film's frame that was taken last. Only the last 9 frames are
    held in memory.
    Raises InputError if the videos differ in length or size.
    """
    columns = [outputs, frames] if painted is None else [outputs, frames, painted]
    totals = [_Totals() for _ in columns]
    names, where = parts
    of_parts = [PartTotals(name, len(columns)) for name in names]
    coverage = Mean()
    starts = {start for start, _ in shots}
    history: deque[tuple[np.ndarray, ...]] = deque(maxlen=LONG_RANGE_FRAMES)
    errors: dict[int, float] = {}
    count = 0
    for index, row in enumerate(_rows(columns)):
        if index in starts:
            history.clear()
        count += 1
        for total, image in zip(totals, row, strict=True):
            total.sharpness.add(sharpness(image))
            total.contrast.add(contrast(image))
        if history:
            share, error = _judge_neighbours(
                totals, row, history[-1], flow, list(zip(of_parts, where(), strict=True))
            )
            coverage.add(share)
            if error is not None:
                errors[index] = error
        if long_range and len(history) == LONG_RANGE_FRAMES:
            _judge_far(totals, row, history[0], flow)
        history.append(row)
    return Evaluation(
        output=totals[0].figures(),
        painted=totals[2].figures() if painted is not None else None,
        film=totals[1].figures(),
        frames=count,
        pairs=coverage.count,
        reliable_share=coverage.value or 0.0,
        seam_ratios=tuple(seam_ratios(errors, seams, seam_frames)),
        parts=tuple(total.figures() for total in of_parts),
    )


def _rows(columns: Sequence[Iterable[np.ndarray]]) -> Iterator[tuple[np.ndarray, ...]]:
    """Frames of the same index together, checked to be of one size."""
    for index, row in enumerate(zip_longest(*columns)):
        if any(image is None for image in row):
            raise InputError(
                f"One video ends before frame {index}, another goes on; give the video that the"
                " result was made of, and the same --frames."
            )
        sizes = {image.shape for image in row}
        if len(sizes) > 1:
            described = " and ".join(f"{shape[1]}x{shape[0]}" for shape in sorted(sizes))
            raise InputError(
                f"Frame {index}: the videos differ in size, {described}; give the video that the"
                " result was made of, and the same --size."
            )
        yield row


def _judge_neighbours(
    totals: Sequence[_Totals],
    row: Sequence[np.ndarray],
    before: Sequence[np.ndarray],
    flow: Flow,
    parts: Sequence[tuple[PartTotals, np.ndarray]] = (),
) -> tuple[float, float | None]:
    """Add the figures of one pair of neighbours, and those of its parts; returns the share of
    reliable pixels, and the temporal RMSE of the result."""
    film, film_before = row[1], before[1]
    backward, forward = flow(film, film_before), flow(film_before, film)
    reliable = consistency_mask(backward, forward)
    clear = consistency_mask(forward, backward) & ~motion_boundaries(forward)
    errors = [
        temporal_rmse(*images, backward, reliable) for images in zip(row, before, strict=True)
    ]
    for total, error, image, image_before in zip(totals, errors, row, before, strict=True):
        total.rmse.add(error)
        total.difference.add(temporal_difference(image, image_before, backward, reliable))
        total.fav.add(fav_temporal_error(image, image_before, backward, reliable))
        total.lai.add(lai_temporal_error(image_before, image, forward, clear))
    for of_part, where in parts:
        of_part.add(row, before, backward, reliable, where)
    return float(reliable.mean()), errors[0]


def _judge_far(
    totals: Sequence[_Totals], row: Sequence[np.ndarray], before: Sequence[np.ndarray], flow: Flow
) -> None:
    film, film_before = row[1], before[1]
    backward, forward = flow(film, film_before), flow(film_before, film)
    reliable = consistency_mask(backward, forward)
    for total, image, image_before in zip(totals, row, before, strict=True):
        total.long_range_rmse.add(temporal_rmse(image, image_before, backward, reliable))


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below


def format_table(evaluation: Evaluation) -> str:
    """The evaluation as a table of plain text, without a line break at its end."""
    columns = [("result", evaluation.output)]
    if evaluation.painted is not None:
        columns.append(("frame by frame", evaluation.painted))
    columns.append(("film", evaluation.film))
    rows: list[tuple[str, Callable[[Figures], float | None], str]] = [
        ("temporal RMSE, 8-bit levels", lambda figures: figures.rmse, ".2f"),
        (f"  {LONG_RANGE_FRAMES} frames apart", lambda figures: figures.long_range_rmse, ".2f"),
        ("temporal error, FAV 2018", lambda figures: figures.fav, ".6f"),
        ("warping error, Lai 2018", lambda figures: figures.lai, ".6f"),
        ("sharpness, 8-bit levels", lambda figures: figures.sharpness, ".2f"),
        ("contrast, 8-bit levels", lambda figures: figures.contrast, ".2f"),
        ("RMSE / contrast", lambda figures: figures.flicker, ".3f"),
    ]
    lines = [" " * 28 + "".join(f"{name:>16}" for name, _ in columns)]
    for label, value_of, style in rows:
        values = [value_of(figures) for _, figures in columns]
        cells = ["-" if value is None else format(value, style) for value in values]
        lines.append(f"{label:<28}" + "".join(f"{cell:>16}" for cell in cells))
    lines.append(
        f"{evaluation.frames} frames, {evaluation.pairs} pairs within shots; the judging flow could"
        f" follow {100 * evaluation.reliable_share:.0f} % of the pixels"
    )
    lines += part_lines(evaluation.parts)
    seams = describe_ratios(evaluation.seam_ratios)
    if seams is not None:
        lines.append(seams)
    return "\n".join(lines)
