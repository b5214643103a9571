"""What the machine offers, and sizes and durations as people read them."""

import os
from pathlib import Path

import pytest

from fastvid.system.resources import (
    available_memory_bytes,
    free_disk_bytes,
    human_bytes,
    human_seconds,
    processor_name,
    usable_cores,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (112e9, "112.0 GB"),
        (3.2e12, "3.2 TB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("garbage", 8)],
)
def test_cores_are_cut_to_the_quota(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("limit", "used", "left"),
    [
        ("1000000", "400000", 600000),
        ("1000", "5000", 0),
        ("max", "400000", None),
        (str(2**63 - 4096), "400000", None),
    ],
)
def test_memory_is_cut_to_the_limit(
    limit: str, used: str, left: int | None, tmp_path: Path
) -> None:
    host = available_memory_bytes(tmp_path)
    assert host > 1 << 20
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.current").write_text(used)
    found = available_memory_bytes(tmp_path)
    if left is None:
        assert found > host // 2
    else:
        assert found == left


def test_free_disk_of_what_does_not_exist_yet(tmp_path: Path) -> None:
    assert free_disk_bytes(tmp_path / "a" / "b" / "c.h5") > 0


def test_the_processor_has_a_name() -> None:
    assert processor_name().strip()
