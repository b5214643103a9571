"""How torch's threads wait for each other."""

import os
import re
import subprocess
import sys

import pytest

from fastvid.style.cards import DEFAULT_STYLE


@pytest.mark.parametrize(
    "chosen, spins",
    [({}, "0"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0"), ({"GOMP_SPINCOUNT": "777"}, "777")],
)
def test_threads_that_wait_do_not_spin(chosen: dict[str, str], spins: str) -> None:
    """As libgomp itself says when torch loads it; who chooses otherwise is not overruled."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    }
    done = subprocess.run(
        [sys.executable, "-m", "fastvid", "styles", DEFAULT_STYLE],
        env={**environment, "OMP_DISPLAY_ENV": "VERBOSE", **chosen},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)
    if not found:
        pytest.skip("this torch has another OpenMP than GNU's")
    assert found == [spins]
