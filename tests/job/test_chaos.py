"""A few of the kills that benchmarks/chaos.py deals out by the hundred."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from support.launching import mpirun
from support.places import REPOSITORY

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.mpi, pytest.mark.timeout(900)]

KILLS = 5


def test_killed_runs_come_to_the_same_end(tmp_path: Path) -> None:
    """Nothing lost, nothing unreadable, nothing different, nothing hanging."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "PATH": os.pathsep.join([str(Path(mpirun()).parent), os.environ["PATH"]]),
    }
    finished = subprocess.run(
        [
            sys.executable,
            REPOSITORY / "benchmarks" / "chaos.py",
            "--kills",
            str(KILLS),
            "--seed",
            "7",
            "--folder",
            tmp_path / "chaos",
            "--json",
            tmp_path / "result.json",
        ],
        capture_output=True,
        text=True,
        env=environment,
        timeout=840,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    figures = json.loads((tmp_path / "result.json").read_text())["figures"]
    counts: Counter[str] = Counter()
    for figure in figures:
        if "how" in figure.get("of", {}):
            counts[figure["name"]] += figure["value"]
    assert counts == {
        "kills": KILLS,
        "frames lost": 0,
        "files that do not open": 0,
        "wrong bytes": 0,
        "hangs": 0,
    }
