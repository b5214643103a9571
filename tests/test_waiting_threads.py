"""How torch's threads wait for each other."""

import os
import re
import subprocess
import sys

import pytest

from fastvid.style.registry import DEFAULT_STYLE


@pytest.mark.parametrize("chosen, policy", [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_do_not_spin(chosen: str | None, policy: str) -> None:
    """As OpenMP itself says when torch loads it; who chooses otherwise is not overruled."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment["OMP_DISPLAY_ENV"] = "TRUE"
    if chosen is not None:
        environment["OMP_WAIT_POLICY"] = chosen
    done = subprocess.run([sys.executable, "-m", "fastvid", "styles", DEFAULT_STYLE],
                          env=environment, capture_output=True, text=True, check=True)
    assert re.findall(r"OMP_WAIT_POLICY ?= ?'(\w+)'", done.stderr) == [policy]
