"""What the benchmarks write, the tables that are made from it, and that each of them starts."""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.emulation import Costs
from harness.point import PointSettings, start_point
from harness.result import (
    RESULTS,
    Bar,
    Figure,
    Result,
    add_json_option,
    measured,
    read_result,
    write_result,
)
from support.launching import mpirun
from support.places import REPOSITORY
from tables import Wanted, filled, table

PERFORMANCE = REPOSITORY / "docs" / "performance.md"
PROGRAMS = sorted((REPOSITORY / "benchmarks").glob("*.py"))


def a_result(figures: list[Figure], name: str = "made", commit: str = "0123456789") -> Result:
    return Result(name, "2026-11-24T10:00:00Z", commit, {"cores": 2}, {"repeats": 1}, figures)


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default=(640, 360))
    parser.add_argument("--folder", type=Path, default=Path("films"))
    add_json_option(parser)
    return parser.parse_args(arguments)


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    result = a_result(
        [
            Figure("time", 1.5, "s", {"ranks": 4, "size": "640x360"}, 1.25, 2.0, Bar(at_most=3)),
            Figure("growth", 0.04, "of the first"),
        ]
    )
    write_result(tmp_path / "new" / "result.json", result)
    assert read_result(tmp_path / "new" / "result.json") == result
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["result.json"]


def test_a_result_says_when_where_on_what_code_and_how(tmp_path: Path) -> None:
    options = parsed("--json", str(tmp_path / "result.json"))
    write_result(options.json, measured("made", options, [Figure("time", 1.0, "s")]))
    content = json.loads((tmp_path / "result.json").read_text())
    assert set(content) == {"benchmark", "date", "commit", "machine", "settings", "figures"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", content["date"])
    assert {"processor", "cores", "load_average", "uncommitted_changes"} <= set(content["machine"])
    assert content["settings"] == {"size": [640, 360], "folder": "films"}


def test_without_json_nothing_is_written_and_without_a_name_it_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.result.RESULTS", tmp_path)
    write_result(parsed().json, a_result([]))
    assert list(tmp_path.iterdir()) == []
    write_result(parsed("--json").json, a_result([]))
    write_result(parsed("--json").json, a_result([], commit=""))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2026-11-24-0123456-made.json",
        "2026-11-24-unrecorded-made.json",
    ]


@pytest.mark.parametrize(
    ("bar", "text", "met", "missed"),
    [
        (Bar(at_least=0.9), "at least 0.9", 0.9, 0.89),
        (Bar(at_most=2), "at most 2", 2.0, 2.1),
        (Bar(0.9, 1.1), "0.9 to 1.1", 1.0, 1.2),
    ],
)
def test_bars(bar: Bar, text: str, met: float, missed: float) -> None:
    assert str(bar) == text and bar.is_met(met) and not bar.is_met(missed)


def lines(tmp_path: Path, figures: list[Figure], spec: str) -> list[str]:
    write_result(tmp_path / "r.json", a_result(figures))
    return list(table(Wanted.parse(f"from=r.json {spec}"), tmp_path))


def test_a_table_with_spans_shares_and_a_bar_of_its_rows(tmp_path: Path) -> None:
    """A column has one number of decimals, however its numbers end."""
    figures = [
        Figure("peak", 473.8, "MiB", {"kind": "real"}),
        Figure("growth", 0.027, "of it", {"kind": "real"}, bar=Bar(at_most=0.05)),
        Figure("peak", 90.25, "MiB", {"kind": "made"}, 80, 100.5),
        Figure("growth", 0.06, "of it", {"kind": "made"}, bar=Bar(at_most=0.05)),
    ]
    assert lines(tmp_path, figures, "rows=kind columns=name") == [
        "| kind | peak, MiB | growth |",
        "| --- | --- | --- |",
        "| real | 473.8 | 2.7 % (bar at most 5 %) |",
        "| made | 90.2 (80.0 to 100.5) | 6.0 % (bar at most 5 %), missed |",
    ]
    assert lines(tmp_path, figures, "rows=kind columns=name only=name:growth") == [
        "| kind | growth | bar |",
        "| --- | --- | --- |",
        "| real | 2.7 % | at most 5 % |",
        "| made | 6.0 %, missed | at most 5 % |",
    ]


def test_columns_of_numbers_stand_by_size_and_what_is_missing_is_empty(tmp_path: Path) -> None:
    figures = [
        Figure("efficiency", 0.9, "ratio", {"case": "one shot", "ranks": 16}),
        Figure("efficiency", 0.955, "ratio", {"case": "one shot", "ranks": 4}),
        Figure("efficiency", 1.0, "ratio", {"case": "cut", "ranks": 4}),
        Figure("time", 2.0, "s", {"case": "cut", "ranks": 4}),
    ]
    assert lines(tmp_path, figures, "rows=case columns=ranks only=name:efficiency") == [
        "| case | 4 | 16 |",
        "| --- | --- | --- |",
        "| one shot | 0.955 | 0.9 |",
        "| cut | 1.000 |  |",
    ]
    assert lines(tmp_path, figures, "rows=name columns=ranks only=case:one_shot,ranks:4") == [
        "|  | 4 |",
        "| --- | --- |",
        "| efficiency | 0.955 |",
    ]


@pytest.mark.parametrize(
    "spec", ["rows=case", "rows=case columns=ranks lines=3", "rows=case columns=colour"]
)
def test_a_table_that_says_nothing(tmp_path: Path, spec: str) -> None:
    with pytest.raises(ValueError):
        lines(tmp_path, [Figure("efficiency", 0.9, "ratio", {"case": "one", "ranks": 16})], spec)


def test_the_document_shows_the_results_that_are_there() -> None:
    """Its tables are up to date, and no result is there that it does not name."""
    document = PERFORMANCE.read_text(encoding="utf-8")
    assert filled(document) == document
    named = {
        name
        for found in re.findall(r"<!-- table from=(\S+)", document)
        for name in found.split(",")
    }
    assert named == {path.name for path in RESULTS.glob("*.json")}
    for name in named:
        assert read_result(RESULTS / name).file_name == name


# Starts programs one after the other as Python starts a file, with its folder on the path; what
# they have in common is loaded once.
_STARTING = """
import os, runpy, sys
path = sys.path[1:]
for program in sys.argv[1:]:
    sys.argv, sys.path = [program, "--help"], [os.path.dirname(os.path.abspath(program)), *path]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as ended:
        assert not ended.code, (program, ended.code)
    print("=== the next one", flush=True)
"""


@pytest.mark.slow
def test_every_program_starts_from_the_root_of_the_repository() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", _STARTING, *(f"benchmarks/{path.name}" for path in PROGRAMS)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    *said, rest = finished.stdout.split("=== the next one\n")
    assert not rest
    for program, text in zip(PROGRAMS, said, strict=True):
        assert text.startswith("usage:"), program
        assert "--json [FILE]" in text or program.stem in ("gallery", "tables"), program


@pytest.mark.mpi
@pytest.mark.slow
def test_a_point_starts_itself_under_mpirun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any folder; 12 frames of a small clip on two ranks that sleep."""
    from harness.clips import make_clip

    monkeypatch.setattr("harness.clips.CACHE", tmp_path / "clips")
    monkeypatch.setenv("PATH", f"{Path(mpirun()).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.chdir(tmp_path)
    point = start_point(
        PointSettings(
            clip=str(make_clip((64, 48), 12)),
            cuts="none",
            folder=str(tmp_path),
            costs=Costs(0.001, 0.002, 0.001),
            slow=False,
        ),
        ranks=2,
    )
    assert point["ranks"] == 2 and point["frames"] == 12 and len(point["sha256"]) == 64
    assert [fact["rank"] for fact in point["rank_facts"]] == [0, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips"]
