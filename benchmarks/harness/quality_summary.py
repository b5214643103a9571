"""Medians of the figures of quality.py beside their bars."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.result import Bar, Figure

# One figure of one style on one input; a row of the summary.
Row = dict[str, Any]
_RATIO = "ratio"
# Stands for the style in the medians over all of them.
MEDIAN = "median"


def summary(rows: Sequence[Row], bars: Mapping[str, tuple[float, float]]) -> list[Row]:
    """Medians over the styles for each film, and over everything, of the figures with bars.

    bars: at least, at most.
    """
    table = []
    for figure, (least, most) in bars.items():
        found = [row for row in rows if row["figure"] == figure]
        films = list(dict.fromkeys(row["input"] for row in found))
        groups = {name: [row["value"] for row in found if row["input"] == name] for name in films}
        if len(films) > 1:
            groups["all"] = [row["value"] for row in found]
        for name, values in groups.items():
            table.append(
                {
                    "figure": figure,
                    "input": name,
                    "values": values,
                    "median": statistics.median(values),
                    "bar": Bar(least or None, most if most < float("inf") else None),
                }
            )
    return table


def format_summary(table: Sequence[Row]) -> str:
    """The medians beside the bars."""
    lines = [f"{'median':<28} {'input':<14} {'value':>7}  bar"]
    for row in table:
        verdict = "" if row["bar"].is_met(row["median"]) else "   MISSED"
        lines.append(
            f"{row['figure']:<28} {row['input']:<14} {row['median']:>7.3f}  {row['bar']}{verdict}"
        )
    return "\n".join(lines) + "\n"


def quality_figures(rows: Sequence[Row], table: Sequence[Row]) -> Iterator[Figure]:
    """The medians with their bars, least and most, then every row."""
    for row in table:
        of = {"style": MEDIAN, "input": row["input"]}
        low, high = min(row["values"]), max(row["values"])
        yield Figure(row["figure"], row["median"], _RATIO, of, low, high, row["bar"])
    for row in rows:
        of = {"style": row["style"], "input": row["input"]}
        yield Figure(row["figure"].strip(), row["value"], row.get("unit", _RATIO), of)
