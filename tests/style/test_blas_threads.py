"""The bytes do not depend on how many threads the BLAS of numpy takes: nobody records them."""

import os
import subprocess
import sys

from support.places import REPOSITORY

_PROGRAM = """
import hashlib
import numpy as np
from fastvid.decode.tonemap import ToneMapper
from fastvid.style.looks import keep_colors

random = np.random.default_rng(3)
painted, frame = random.integers(0, 256, (2, 1083, 1917, 3), dtype=np.uint8)
planes = random.integers(0, 4081, (3, 1083, 1917)).astype(np.uint16)
digest = hashlib.sha256(keep_colors(painted, frame).tobytes())
for transfer in ("pq", "hlg"):
    digest.update(ToneMapper(transfer)(planes).tobytes())
print(digest.hexdigest())
"""


def digest(threads: int) -> str:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, **dict.fromkeys(names, str(threads))},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.strip()


def test_looks_and_tone_mapping() -> None:
    assert len({digest(threads) for threads in (1, 2, 7)}) == 1
