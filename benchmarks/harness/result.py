"""What every benchmark writes: figures with units, and when, where, on what code and how.

A result is a JSON file, written whole. `benchmarks/tables.py` makes the tables of docs from them.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastvid.system.files import write_atomically
from fastvid.system.resources import processor_name, usable_cores

RESULTS = Path(__file__).resolve().parents[1] / "results"
# Stands in a file's name where nobody wrote down on what commit it was measured.
_UNRECORDED = "unrecorded"
_COMMIT_DIGITS = 7
# Those that the time or the picture depends on.
_PACKAGES = (
    "torch",
    "numpy",
    "opencv-contrib-python-headless",
    "av",
    "h5py",
    "mpi4py",
    "onnxruntime",
    "openvino",
)
# What `--json` without a file means.
_DEFAULT_PLACE = Path()


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach: at least, at most, or both."""

    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether a value keeps within the bar."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        if self.at_most is None:
            return f"at least {self.at_least:g}"
        if self.at_least is None:
            return f"at most {self.at_most:g}"
        return f"{self.at_least:g} to {self.at_most:g}"


@dataclass(frozen=True)
class Figure:
    """One number.

    of: what it belongs to, such as {"size": "640x360", "ranks": 4}. unit: "ratio" or "count" for
    what has none; a share is "of" something. low, high: how far the single values went, or their
    quartiles, as the benchmark's method says; both or neither.
    """

    name: str
    value: float
    unit: str
    of: Mapping[str, str | int | float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    bar: Bar | None = None


@dataclass(frozen=True)
class Result:
    """What one call of a benchmark has measured.

    date: as in ISO 8601, of the end. commit: of the code, "" where nobody wrote it down.
    machine: processor, cores, load and versions. settings: the options. details: what the figures
    were made of. note: what a reader has to know besides.
    """

    benchmark: str
    date: str
    commit: str
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    figures: Sequence[Figure]
    details: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def file_name(self) -> str:
        """DATE-COMMIT-NAME.json."""
        commit = self.commit[:_COMMIT_DIGITS] or _UNRECORDED
        return f"{self.date[:10]}-{commit}-{self.benchmark}.json"

    def text(self) -> str:
        """The result as JSON, with a line for each figure; what is not given is left out."""
        content = asdict(self)
        figures = content.pop("figures")
        for name in ("details", "note"):
            if not content[name]:
                del content[name]
        lines = ",\n".join(f"  {json.dumps(_given(figure))}" for figure in figures)
        head = json.dumps(content, indent=1).removesuffix("\n}")
        return f'{head},\n "figures": [\n{lines}\n ]\n}}\n'


def _given(content: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None or empty, at every level."""
    return {
        key: _given(value) if isinstance(value, dict) else value
        for key, value in content.items()
        if value is not None and value != {}
    }


def measured(
    benchmark: str,
    options: argparse.Namespace,
    figures: Sequence[Figure],
    details: Mapping[str, Any] | None = None,
) -> Result:
    """A result of now, of this machine and the code as it lies here."""
    settings = {key: _plain(value) for key, value in vars(options).items() if key != "json"}
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "-uno")
    machine = {**this_machine(), "uncommitted_changes": bool(changed)}
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Result(benchmark, date, commit, machine, settings, figures, details or {})


def _plain(value: object) -> object:
    """An option as JSON can hold it; what it does not know becomes text."""
    return json.loads(json.dumps(value, default=str))


def this_machine() -> dict[str, Any]:
    """Where a benchmark runs."""
    return {
        "processor": processor_name(),
        "cores": usable_cores(),
        "load_average": list(os.getloadavg()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str:
    """ "" where it is not installed under that name."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _git(*words: str) -> str:
    """What git says of the code; "" where there is no git."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=RESULTS.parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--json [FILE]`, for `write_result`."""
    parser.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=_DEFAULT_PLACE,
        metavar="FILE",
        help="writes the result; without FILE into benchmarks/results/DATE-COMMIT-NAME.json",
    )


def write_result(place: Path | None, result: Result) -> None:
    """Writes the result where `--json` says, if it was given at all.

    Raises StorageError if it can't be written.
    """
    if place is None:
        return
    path = RESULTS / result.file_name if place == _DEFAULT_PLACE else place
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, result.text().encode())
    sys.stderr.write(f"wrote {path}\n")


def read_result(path: Path) -> Result:
    """A result that was written.

    Raises ValueError, TypeError or KeyError if the file holds something else.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    return Result(**{**content, "figures": list(_figures(content["figures"]))})


def _figures(rows: Sequence[dict[str, Any]]) -> Iterator[Figure]:
    for row in rows:
        bar = Bar(**row["bar"]) if "bar" in row else None
        yield Figure(**{**row, "bar": bar})
