"""What a rank frees it keeps for the next frame, unless somebody else decides about malloc."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")

# Blocks come and go that are larger than what glibc would keep by itself, and than the heap of a
# thread other than the first.
_PAINT = """
import resource, threading
import numpy as np
from fastvid.__main__ import main
from fastvid.system.allocator import give_back_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20

def paint():
    for mib in (40, 100, 70):
        np.full(mib << 20, 1, np.uint8)

def run():
    paint()
    before = faults()
    for _ in range(3):
        paint()
    print(faults() - before, resident_mib() - at_first, end=" ")

main(["styles"])
at_first = resident_mib()
thread = threading.Thread(target=run)
thread.start()
thread.join()
give_back_freed_memory()
print(resident_mib() - at_first)
"""
_PAGES = 3 * (210 << 20) // 4096


def painted(**environment: str) -> list[int]:
    """In a program that has begun as fastvid does: page faults of painting three times, MiB more
    than before it, the same once free memory is given back."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MALLOC_") and name != "GLIBC_TUNABLES"
    }
    done = subprocess.run(
        [sys.executable, "-c", _PAINT],
        env={**clean, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return [int(number) for number in done.stdout.splitlines()[-1].split()]


def test_freed_memory_is_used_again_without_asking_the_system_for_it() -> None:
    faults, kept, _ = painted()
    assert faults < _PAGES / 100
    assert kept > 90


def test_free_memory_is_given_back_when_asked() -> None:
    _, kept, after = painted()
    assert after < kept - 80


@pytest.mark.parametrize(
    "environment", [{"MALLOC_ARENA_MAX": "8"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=8"}]
)
def test_the_environment_overrules(environment: dict[str, str]) -> None:
    """By glibc's defaults so large blocks go back at once."""
    _, kept, _ = painted(**environment)
    assert kept < 50
