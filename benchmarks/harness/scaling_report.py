"""How a series of ranks is shown: the rows of a table, and a plot."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_COLUMNS = (
    "case",
    "ranks",
    "frames",
    "seconds",
    "speed-up",
    "efficiency",
    "bar",
    "busy",
    "start",
    "middle",
    "end",
    "before",
    "after",
    "cpu 0",
    "cpu",
    "store",
    "sent",
)
_ROW = "{:<6} {:>5} {:>6} {:>7} {:>8} {:>10} {:>5}" + 10 * " {:>6}" + "\n"


def heading() -> str:
    """The first line of the table."""
    return _ROW.format(*_COLUMNS)


def format_row(point: Mapping[str, Any]) -> str:
    """The line of one point."""
    shares = point["shares"]
    bar = point["bar"]
    return _ROW.format(
        point["case"],
        point["ranks"],
        point["frames"],
        f"{point['seconds']:.1f}",
        f"{point['speed_up']:.2f}",
        f"{point['efficiency']:.3f}",
        f"{bar:.2f}" if bar else "",
        *(f"{shares[name]:.1%}" for name in ("busy", "start", "middle", "end")),
        f"{point['before_seconds']:.1f}",
        f"{point['after_seconds']:.1f}",
        f"{point['cpu_share_rank0']:.1%}",
        f"{point['cpu_share_others']:.1%}",
        f"{point['store_share']:.1%}",
        f"{point['sent_frames']:.2f}",
    )


def check_can_draw() -> None:
    """Ends the program at once if there is nothing to draw with, not after what it measured."""
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit("Plots need matplotlib: pip install -c constraints.txt '.[bench]'")


def plot_efficiency(
    points: Sequence[Mapping[str, Any]],
    cases: Mapping[str, tuple[str, Mapping[int, float]]],
    path: Path,
) -> None:
    """Draws efficiency over ranks, the best repeat of each point, and the bars.

    cases: name to title and bars (ranks to the efficiency wanted).
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), dpi=120)
    for name, (title, bars) in cases.items():
        best: dict[int, float] = {}
        for point in points:
            if point["case"] == name:
                best[point["ranks"]] = max(point["efficiency"], best.get(point["ranks"], 0.0))
        ranks = sorted(best)
        (line,) = axes.plot(ranks, [best[count] for count in ranks], marker="o", label=title)
        axes.plot(
            list(bars),
            list(bars.values()),
            linestyle="",
            marker="_",
            markersize=16,
            color=line.get_color(),
        )
    axes.set(xscale="log", xlabel="ranks", ylabel="parallel efficiency", ylim=(0.5, 1.02))
    ticks = sorted({point["ranks"] for point in points})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
