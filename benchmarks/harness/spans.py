"""Which rank did what when, from the table of segments in a run file.

The table holds for each segment and stage when it began and the seconds it took. Motion and paint
of a segment take turns frame by frame; a temporal pass of an earlier segment goes before them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
_COLORS = {"motion": "#4c78a8", "paint": "#f2a541", "blend": "#c0392b"}
_ROW_HEIGHT_IN = 0.12
# Seconds since 1970 in a double are not finer than this.
_CLOCK_STEP_S = 1e-6


@dataclass(frozen=True)
class Span:
    """A rank computed a stage from start to stop (seconds)."""

    rank: int
    stage: str
    start: float
    stop: float


def spans(rows: Iterable[Row]) -> list[Span]:
    """What each rank did when; rows are those of /segments."""
    by_rank: dict[int, list[Row]] = {}
    for row in rows:
        by_rank.setdefault(row["rank"], []).append(row)
    found = []
    for rank, own in sorted(by_rank.items()):
        blends = sorted(
            (row["blend_start"], row["blend_start"] + row["blend_seconds"])
            for row in own
            if row["blend_seconds"] > 0
        )
        found += [Span(rank, "blend", start, stop) for start, stop in blends]
        for row in own:
            found += _heavy_spans(row, rank, blends)
    return found


def _heavy_spans(row: Row, rank: int, blends: Sequence[tuple[float, float]]) -> list[Span]:
    """Motion and paint of a segment, in turns, around the temporal passes of the rank."""
    frames = max(1, row["stop"] - row["start"])
    found: list[Span] = []
    now = min(row[f"{stage}_start"] for stage in ("motion", "paint") if row[f"{stage}_start"] > 0)
    waiting = [blend for blend in blends if blend[1] > now]
    for _ in range(frames):
        for stage in ("motion", "paint"):
            left = row[f"{stage}_seconds"] / frames
            while left > _CLOCK_STEP_S:
                while waiting and waiting[0][0] <= now:
                    now = max(now, waiting.pop(0)[1])
                stop = min(now + left, waiting[0][0] if waiting else now + left)
                found.append(Span(rank, stage, now, stop))
                left -= stop - now
                now = stop
    return found


def shares(rows: Sequence[Row], ranks: int) -> dict[str, float]:
    """Shares of ranks x time, from the first frame dealt to the last segment stored.

    busy: computing. start: waiting for the first segment. end: waiting after the last stage.
    middle: waiting in between.
    """
    began = min(row["dealt_start"] for row in rows)
    ended = max(row["stored_start"] for row in rows)
    total = ranks * (ended - began)
    busy = start = end = 0.0
    for rank in range(ranks):
        own = [row for row in rows if row["rank"] == rank]
        if not own:
            start += ended - began
            continue
        stages = [
            (row[f"{stage}_start"], row[f"{stage}_seconds"])
            for row in own
            for stage in ("motion", "paint", "blend")
            if row[f"{stage}_start"]
        ]
        busy += sum(seconds for _, seconds in stages)
        start += min(at for at, _ in stages) - began
        end += ended - max(at + seconds for at, seconds in stages)
    return {
        "busy": busy / total,
        "start": start / total,
        "end": end / total,
        "middle": max(0.0, 1 - (busy + start + end) / total),
    }


def draw_timeline(rows: Sequence[Row], ranks: int, path: Path) -> None:
    """Draws one line a rank, stages coloured, waiting white."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    began = min(row["dealt_start"] for row in rows)
    figure, axes = pyplot.subplots(figsize=(12, 1.2 + _ROW_HEIGHT_IN * ranks), dpi=120)
    groups: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for span in spans(rows):
        groups.setdefault((span.rank, span.stage), []).append(
            (span.start - began, span.stop - span.start)
        )
    for (rank, stage), bars in groups.items():
        axes.broken_barh(bars, (rank - 0.4, 0.8), facecolors=_COLORS[stage], linewidth=0)
    axes.set(
        xlabel="seconds",
        ylabel="rank",
        ylim=(ranks - 0.5, -0.5),
        xlim=(0, max(row["stored_start"] for row in rows) - began),
    )
    axes.legend(
        handles=[Patch(color=color, label=stage) for stage, color in _COLORS.items()],
        loc="lower right",
        ncols=3,
        fontsize=8,
        bbox_to_anchor=(1, 1),
    )
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
