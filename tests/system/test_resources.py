"""What the machine offers, and sizes and durations as people read them."""

import os
from pathlib import Path

import pytest

from fastvid.system.cgroups import ControlGroups
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
    assert usable_cores(ControlGroups(tmp_path)) == cores


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
    host = available_memory_bytes(ControlGroups(tmp_path))
    assert host > 1 << 20
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.current").write_text(used)
    found = available_memory_bytes(ControlGroups(tmp_path))
    if left is None:
        assert found > host // 2
    else:
        assert found == left


def groups(folder: Path, own: str, files: dict[str, str]) -> ControlGroups:
    """A tree of control groups in which this process is where `own` says."""
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ControlGroups(folder / "tree", folder / "own")


_STEP = "system.slice/slurmstepd.scope/job_7/step_0"
_V1_STEP = "slurm/uid_1000/job_7/step_0"


@pytest.mark.parametrize(
    ("own", "files"),
    [
        (  # Slurm with version 2: the limit is the job's, the step has none of its own
            f"0::/{_STEP}/user/task_0\n",
            {
                f"{_STEP}/user/task_0/memory.max": "max",
                f"{_STEP}/user/task_0/memory.current": "1000000",
                f"{_STEP}/memory.max": "8000000",
                f"{_STEP}/memory.current": "5000000",
                f"{_STEP}/memory.stat": "anon 1\ninactive_file 2000000\n",
                f"{_STEP}/cpu.max": "300000 100000",
                "system.slice/memory.max": "9000000",
                "system.slice/memory.current": "1000000",
            },
        ),
        (  # Slurm with version 1
            f"9:memory:/{_V1_STEP}\n4:cpu,cpuacct:/{_V1_STEP}\n1:name=systemd:/x\n",
            {
                f"memory/{_V1_STEP}/memory.limit_in_bytes": str(2**63 - 4096),
                f"memory/{_V1_STEP}/memory.usage_in_bytes": "1000000",
                "memory/slurm/uid_1000/job_7/memory.limit_in_bytes": "8000000",
                "memory/slurm/uid_1000/job_7/memory.usage_in_bytes": "5000000",
                "memory/slurm/uid_1000/job_7/memory.stat": "total_inactive_file 2000000\n",
                f"cpu,cpuacct/{_V1_STEP}/cpu.cfs_quota_us": "-1",
                f"cpu,cpuacct/{_V1_STEP}/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/slurm/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/slurm/cpu.cfs_period_us": "100000",
            },
        ),
        (  # a container that sees no more than itself
            "0::/../../docker-1\n",
            {
                "memory.max": "8000000",
                "memory.current": "3000000",
                "cpu.max": "350000 100000",
            },
        ),
        (  # both versions at once
            "9:memory:/jobs\n0::/jobs\n",
            {
                "memory/jobs/memory.limit_in_bytes": "8000000",
                "memory/jobs/memory.usage_in_bytes": "3000000",
                "unified/jobs/cpu.max": "300000 100000",
            },
        ),
    ],
)
def test_the_limits_of_its_own_groups(
    own: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    found = groups(tmp_path, own, files)
    assert available_memory_bytes(found) == 5_000_000
    assert usable_cores(found) == 3


@pytest.mark.parametrize("own", ["", "garbage", "0::/gone", ":::", "0::/\n0::/\n"])
def test_groups_that_can_not_be_read(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    found = groups(tmp_path, own, {"memory.max": "many", "cpu.max": "0 0"})
    assert available_memory_bytes(found) > 1 << 20 and usable_cores(found) == 64


def test_free_disk_of_what_does_not_exist_yet(tmp_path: Path) -> None:
    assert free_disk_bytes(tmp_path / "a" / "b" / "c.h5") > 0


def test_the_processor_has_a_name() -> None:
    assert processor_name().strip()
