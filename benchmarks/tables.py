"""Makes the tables of a document from results.

    python benchmarks/tables.py docs/performance.md             # fills them in
    python benchmarks/tables.py docs/performance.md --check     # says whether they are up to date

In the document a table stands between two comments, the first of which says what is in it:

    <!-- table from=RESULT.json rows=size,preset columns=name only=way:rank0:auto -->
    <!-- end of table -->

from: results of benchmarks/results/. rows, columns: what the figures are sorted by, such as size,
or name, the figure's own. only: KEY:VALUE,... that the others are left out by, _ for a space; a
key may stand twice. A figure's span stands in brackets behind it, its bar in a column of its own
or, where it is not that of a row, behind it.
"""

import argparse
import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.result import RESULTS, Bar, Figure, read_result

_TABLE = re.compile(r"(<!-- table (.*?) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_DIGITS = 3
# A unit that begins so makes the figure a share, which is shown in per cent.
_SHARE = "of "
# Units that a head does not name.
_UNSAID = ("ratio", "count")


@dataclass(frozen=True)
class Wanted:
    """What a table is to hold; see the module."""

    files: Sequence[str]
    rows: Sequence[str]
    columns: str
    only: Sequence[tuple[str, str]]

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        """From the words of the comment. Raises ValueError."""
        words = dict(word.partition("=")[::2] for word in text.split(" "))
        try:
            files, rows, columns = (words.pop(key) for key in ("from", "rows", "columns"))
        except KeyError as problem:
            raise ValueError(f"a table has no {problem}: {text}") from problem
        only = [part.partition(":")[::2] for part in words.pop("only", "").split(",") if part]
        if words:
            raise ValueError(f"a table knows no {', '.join(words)}: {text}")
        return cls(files.split(","), rows.split(","), columns, only)

    def takes(self, figure: Figure) -> bool:
        """Whether the figure belongs into the table."""
        keys = {key for key, _ in self.only}
        chosen = all((key, _key(figure, key).replace(" ", "_")) in self.only for key in keys)
        return chosen and all(_key(figure, key) for key in (*self.rows, self.columns))


def filled(document: str, folder: Path = RESULTS) -> str:
    """The document with all of its tables made anew from the results in a folder.

    Raises ValueError for a table that says nothing, OSError for a result that is not there.
    """
    return _TABLE.sub(
        lambda match: match[1] + "\n".join(table(Wanted.parse(match[2]), folder)) + "\n" + match[3],
        document,
    )


def table(wanted: Wanted, folder: Path = RESULTS) -> Iterator[str]:
    """The lines of a table. Raises ValueError if there is nothing for it."""
    figures = [
        figure
        for name in wanted.files
        for figure in read_result(folder / name).figures
        if wanted.takes(figure)
    ]
    if not figures:
        raise ValueError(f"nothing in {', '.join(wanted.files)} is for {wanted}")
    columns = _in_order(_key(figure, wanted.columns) for figure in figures)
    rows: dict[tuple[str, ...], dict[str, Figure]] = {}
    for figure in figures:
        head = tuple(_key(figure, key) for key in wanted.rows)
        rows.setdefault(head, {})[_key(figure, wanted.columns)] = figure
    digits = _decimals(figures, wanted.columns)
    bars = {head: _common_bar(list(row.values())) for head, row in rows.items()}
    with_bars = any(bars.values())
    heads = [*map(_plain, wanted.rows), *(_head(name, wanted.columns, figures) for name in columns)]
    yield _line([*heads, *(["bar"] if with_bars else [])])
    yield _line(["---"] * (len(heads) + with_bars))
    for head, row in rows.items():
        cells = [
            _cell(row[name], digits[name, row[name].unit], with_bar=not bars[head])
            if name in row
            else ""
            for name in columns
        ]
        yield _line([*head, *cells, *([bars[head]] if with_bars else [])])


def _in_order(names: Iterable[str]) -> list[str]:
    """Each name once: numbers by size, others as they come."""
    found = list(dict.fromkeys(names))
    return sorted(found, key=int) if all(name.isdecimal() for name in found) else found


def _key(figure: Figure, key: str) -> str:
    """What a figure has for a key; "" for none."""
    if key in ("name", "unit"):
        return str(getattr(figure, key))
    value = figure.of.get(key.replace("_", " "), "")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(key: str) -> str:
    return "" if key in ("name", "unit") else key.replace("_", " ")


def _head(name: str, key: str, figures: Sequence[Figure]) -> str:
    """The head of a column, with the unit where the figures are sorted by name."""
    units = {figure.unit for figure in figures if figure.name == name}
    unit = units.pop() if key == "name" and len(units) == 1 else "ratio"
    return name if unit in _UNSAID or unit.startswith(_SHARE) else f"{name}, {unit}"


def _decimals(figures: Sequence[Figure], key: str) -> dict[tuple[str, str], int]:
    """How many decimals the figures of one unit have in each column."""
    found: dict[tuple[str, str], int] = {}
    for figure in figures:
        column = _key(figure, key), figure.unit
        needed = _needed_decimals(figure.value * _scale(figure.unit))
        found[column] = max(found.get(column, 0), needed)
    return found


def _needed_decimals(value: float) -> int:
    """As many as three digits have, without zeros at the end."""
    if value == 0:
        return 0
    most = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    return len(f"{value:.{most}f}".partition(".")[2].rstrip("0"))


def _common_bar(row: Sequence[Figure]) -> str:
    """The bar of all figures of a row that have one; "" if they have none, or several, or if one of
    many figures has it."""
    barred = [(figure.bar, figure.unit) for figure in row if figure.bar is not None]
    if len(set(barred)) != 1 or 1 == len(barred) < len(row):
        return ""
    return _bar(*barred[0])


def _cell(figure: Figure, decimals: int, with_bar: bool) -> str:
    """A figure as text."""
    text = _number(figure.value, figure.unit, decimals)
    if figure.low is not None and figure.high is not None:
        low, high = (_number(end, figure.unit, decimals) for end in (figure.low, figure.high))
        text += f" ({low} to {high})"
    if figure.bar is not None:
        if with_bar:
            text += f" (bar {_bar(figure.bar, figure.unit)})"
        if not figure.bar.is_met(figure.value):
            text += ", missed"
    return text


def _bar(bar: Bar, unit: str) -> str:
    scale = _scale(unit)
    ends = [None if end is None else scale * end for end in (bar.at_least, bar.at_most)]
    return f"{Bar(*ends)}{' %' if scale > 1 else ''}"


def _number(value: float, unit: str, decimals: int) -> str:
    """A value as text; shares in per cent."""
    return f"{value * _scale(unit):,.{decimals}f}{' %' if unit.startswith(_SHARE) else ''}"


def _scale(unit: str) -> int:
    return 100 if unit.startswith(_SHARE) else 1


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Fills in, or checks, the tables of the documents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", type=Path, nargs="+")
    parser.add_argument(
        "--check", action="store_true", help="changes nothing; status 1 if it would"
    )
    parsed = parser.parse_args()
    stale = False
    for path in parsed.documents:
        document = path.read_text(encoding="utf-8")
        new = filled(document)
        if new == document:
            continue
        stale = True
        if not parsed.check:
            path.write_text(new, encoding="utf-8")
        sys.stdout.write(f"{path}: tables {'are out of date' if parsed.check else 'made anew'}\n")
    return int(parsed.check and stale)


if __name__ == "__main__":
    sys.exit(main())
