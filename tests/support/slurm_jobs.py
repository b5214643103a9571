"""Jobs of the scripts in jobs/ under the Slurm of the tests: submitted small, waited for."""

import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fastvid.errors import InputError
from fastvid.runfile.reader import RunFile
from support.job_clips import Clip
from support.slurm_cluster import SlurmCluster

# Two tasks on two nodes, instead of what the scripts ask for.
SMALL = ("--nodes=2", "--ntasks=2", "--cpus-per-task=1", "--mem-per-cpu=500")


MIN_STORED = 3


# A node refuses a job whose credential dates from the second in which it ended the job's former run
# ("already killed, do not launch batch job"), and the controller then fails the job.
CREDENTIAL_S = 2.0


SRUN = "srun --mpi=pmi2 --kill-on-bad-exit=1"


def arguments(clip: Clip, output: Path, style: Path) -> list[object]:
    """The words behind a script's name, for segments of one frame."""
    return [
        clip.path,
        output,
        "--style",
        style,
        "--cuts",
        clip.cuts_option,
        "--segment-length",
        "1",
    ]


def stand_in(folder: Path, *program: object) -> str:
    """A Python that runs another program in the place of `-m fastvid`, unless the job was
    requeued."""
    path = folder / "python"
    words = shlex.join([sys.executable, *map(str, program)])
    path.write_text(f"""#!/bin/sh
[ -n "$SLURM_RESTART_COUNT" ] && exec {sys.executable} "$@"
shift 2  # -m fastvid
exec {words} "$@"
""")
    path.chmod(0o755)
    return str(path)


def frames_in(run_file: Path) -> np.ndarray:
    """All frames of a run file that is complete."""
    with RunFile(run_file) as run:
        assert run.complete
        return np.stack([run.frame(index) for index in range(run.frame_count)])


def wait_for_frames(run_file: Path, count: int, timeout: float = 120.0) -> None:
    """Until so many frames can be read from the file of a job that is under way."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            with RunFile(run_file) as run:
                if int(run.stored.sum()) >= count:
                    return
        except InputError:
            pass  # not there yet, or caught in the middle of a write
        time.sleep(0.3)
    pytest.fail(f"{run_file} does not get {count} frames")


def start_again_soon(slurm: SlurmCluster, job: str) -> None:
    """Waits until the job is back in the queue; spares it the two minutes that it rests there."""
    slurm.wait(
        job, lambda records: records[-1]["JobState"] == "PENDING" and records[-1]["Restarts"] == "1"
    )
    time.sleep(CREDENTIAL_S)  # all nodes have ended it by now
    slurm.run("scontrol", "update", f"JobId={job}", "StartTime=now", "TimeLimit=10")
