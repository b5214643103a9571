"""Wheels of the package, built from a copy of its sources so that nothing is left in theirs."""

import subprocess
import sys
from pathlib import Path

import pytest


def build_wheel(sources: Path, folder: Path) -> Path:
    """The wheel of a folder of sources, the only one that is then in `folder`; the test is skipped
    where setuptools is missing."""
    pytest.importorskip("setuptools", reason="a wheel is built with setuptools")
    words = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", str(folder)]
    command = [sys.executable, "-m", "pip", *words, str(sources)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("fastvid-*.whl")
    return path
