"""A Slurm for the tests of the job scripts, and what their jobs are to make."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import mpirun
from support.places import PROGRAMS, REPOSITORY
from support.slurm_cluster import SlurmCluster, SlurmUnavailable


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    launcher = mpirun()
    try:
        cluster = SlurmCluster()
    except SlurmUnavailable as reason:
        pytest.skip(str(reason))
    with cluster:
        cluster.environment.update(
            FASTVID_PYTHON=sys.executable,
            PYTHONPATH=str(REPOSITORY),
            OMP_NUM_THREADS="1",
            PATH=os.pathsep.join([str(Path(launcher).parent), cluster.environment["PATH"]]),
        )
        yield cluster


@pytest.fixture(scope="module")
def expected(cut_clip: Clip, tiny_style: Path) -> np.ndarray:
    """What the plain loop makes of the clip."""
    return oracle.repaint(
        job_clips.decoded_frames(cut_clip.path), cut_clip.cuts, load_style(str(tiny_style))
    )


@pytest.fixture
def slow(slurm: SlurmCluster) -> Iterator[dict[str, str]]:
    """The environment of a job that pauses before every frame, until `pause` is removed."""
    wrapper, pause = slurm.work / "slow-python", slurm.work / "pause"
    wrapper.write_text(
        f"#!/bin/sh\nshift 2  # -m fastvid\nexec {sys.executable} "
        f'{PROGRAMS / "slow_paint.py"} "$@"\n'
    )
    wrapper.chmod(0o755)
    pause.write_text("2")
    yield {"FASTVID_PYTHON": str(wrapper), "FASTVID_TEST_PAUSE": str(pause)}
    pause.unlink(missing_ok=True)
