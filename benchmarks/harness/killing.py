"""A run of the program that is killed at a moment of choice, and what it left."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Longer than this after a kill, and the program hangs.
HANG_S = 30.0
# A run in peace; generous, because the machine may be busy with other things.
PATIENCE_S = 300.0
POLL_S = 0.005
WAYS = ("kill a rank", "kill mpirun", "terminate mpirun")
MOMENTS = ("starting", "computing", "finishing")
# Batch systems send SIGTERM more than once; mpirun loses one that comes before it is listening.
_REPEAT_S = 5.0
_MARK = "FASTVID_CHAOS"
# Looking through all processes of the machine takes its time.
_LOOK_AROUND_S = 0.05
# The clip's first segments are stored and its output is put together in about this time.
_JITTER_S = 0.3
# So much of the run file is there, and the last frames are stored.
_NEARLY_ALL = 0.98


@dataclass(frozen=True)
class Peace:
    """A run that nobody disturbed: its frames, the size of its run file, seconds to its first
    frame."""

    frames: np.ndarray
    run_bytes: int
    starting_s: float


class Run:
    """The program under way, on so many ranks; all its processes bear a mark."""

    def __init__(self, folder: Path, ranks: int) -> None:
        self.folder, self.mark = folder, f"{os.getpid()}-{time.monotonic_ns()}"
        self.log = (folder / "log.txt").open("ab")
        launcher = shutil.which(
            "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        if launcher is None:
            raise SystemExit("There is no mpirun beside this Python or on the PATH.")
        options = ["--style", "style.pt", "--threads", "1", "--codec", "ffv1"]
        self.mpirun = subprocess.Popen(
            [
                *[launcher, "-n", str(ranks)],
                *[sys.executable, "-m", "fastvid", "clip.mp4", "-o", "out.mkv"],
                *options,
            ],
            cwd=folder,
            env={**os.environ, _MARK: self.mark, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )

    def processes(self, only_ranks: bool = False) -> list[int]:
        """What is still there of the program."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue  # gone meanwhile, not a process, or not ours
            ours = f"{_MARK}={self.mark}".encode() in words
            if ours and (not only_ranks or any(word.startswith(b"PMI_RANK=") for word in words)):
                found.append(int(entry.name))
        return found

    def gone_within(self, timeout: float) -> bool:
        """Whether all processes end in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.mpirun.poll() is not None and not self.processes():
                return True
            time.sleep(_LOOK_AROUND_S)
        return False

    def wait_gone(self, timeout: float) -> bool:
        """The same; kills what is left otherwise."""
        if self.gone_within(timeout):
            return True
        for process in self.processes():
            _signal(process, signal.SIGKILL)
        self.mpirun.wait()
        return False

    def close(self) -> None:
        """Leaves nothing behind."""
        self.wait_gone(0.0)
        self.log.close()


def wait_for_moment(run: Run, peace: Peace, moment: str, dice: random.Random) -> None:
    """Until the run has come to a random point of its start, its work or its end."""
    run_file, output = run.folder / "out.h5", run.folder / "out.mkv"
    size = run_file.stat().st_size if run_file.exists() else 0
    share, pause = dice.random(), dice.random() * _JITTER_S
    began = time.monotonic()
    while run.mpirun.poll() is None:
        now = run_file.stat().st_size if run_file.exists() else 0
        if moment == "starting" and time.monotonic() - began > share * peace.starting_s:
            return
        if moment == "computing" and now > size + share * (peace.run_bytes - size):
            return
        parts = run.folder / ".out.mkv.parts"
        if moment == "finishing" and now >= _NEARLY_ALL * peace.run_bytes and parts.exists():
            break
        if time.monotonic() - began > PATIENCE_S or output.exists():
            return
        time.sleep(POLL_S)
    time.sleep(pause)


def kill(run: Run, way: str, dice: random.Random) -> bool:
    """Does what the way says; whether the program is gone in time."""
    deadline = time.monotonic() + HANG_S
    if way == "terminate mpirun":
        while time.monotonic() < deadline - _REPEAT_S:
            _signal(run.mpirun.pid, signal.SIGTERM)
            if run.gone_within(_REPEAT_S):
                return True
    elif way == "kill a rank" and (ranks := sorted(run.processes(only_ranks=True))):
        _signal(dice.choice(ranks), signal.SIGKILL)
    else:
        _signal(run.mpirun.pid, signal.SIGKILL)
    return run.wait_gone(deadline - time.monotonic())


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it was faster
        os.kill(process, number)
