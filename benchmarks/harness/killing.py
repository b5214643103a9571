"""A run of the program that is killed at a moment of choice, and what it left."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fastvid.errors import EXIT_BAD_INPUT

# Longer than this after a kill, and the program hangs.
HANG_S = 30.0
# A run in peace; generous, because the machine may be busy with other things.
PATIENCE_S = 300.0
POLL_S = 0.005
_KILL_RANK, _TERMINATE = "kill a rank", "terminate mpirun"
STOP, TWO, OTHER = "stop and continue", "two at once", "another style"
WAYS = (_KILL_RANK, "kill mpirun", _TERMINATE, "kill everybody", STOP, TWO, OTHER)
MOMENTS = ("starting", "computing", "finishing")
# Batch systems send SIGTERM more than once; mpirun loses one that comes before it is listening.
_REPEAT_S = 5.0
_MARK = "FASTVID_CHAOS"
_PROGRAM = Path(__file__).with_name("program.py")
_PART_FRAMES = 15
# A program is stopped for up to so long before it may go on.
_LONGEST_STOP_S = 3.0
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


@dataclass(frozen=True)
class Command:
    """What is started. style: its file. discard: with --discard-frames. more: other arguments."""

    style: str
    discard: bool
    more: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The arguments of the program."""
        words = ["clip.mp4", "-o", "out.mkv", "--style", self.style, "--threads", "1"]
        words += ["--codec", "ffv1", *self.more]
        return [*words, "--discard-frames"] if self.discard else words


class Run:
    """The program under way, on so many ranks; all its processes bear a mark."""

    def __init__(
        self, folder: Path, ranks: int, command: Command, log_name: str = "log.txt"
    ) -> None:
        self.folder, self.mark = folder, f"{os.getpid()}-{time.monotonic_ns()}"
        self.log = (folder / log_name).open("ab")
        launcher = shutil.which(
            "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        if launcher is None:
            raise SystemExit("There is no mpirun beside this Python or on the PATH.")
        program = [sys.executable, str(_PROGRAM), str(_PART_FRAMES)]
        self.mpirun = subprocess.Popen(
            [launcher, "-n", str(ranks), *program, *command.words()],
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
    """Does what the way says; whether the program is gone in time, or comes to its end where it was
    only stopped for a while."""
    deadline = time.monotonic() + HANG_S
    if way == STOP:
        _stop_for_a_while(run, dice)
        return run.wait_gone(PATIENCE_S)
    if way == _TERMINATE:
        while time.monotonic() < deadline - _REPEAT_S:
            _signal(run.mpirun.pid, signal.SIGTERM)
            if run.gone_within(_REPEAT_S):
                return True
    elif way == "kill everybody":
        for process in run.processes():
            _signal(process, signal.SIGKILL)
    elif way == _KILL_RANK and (ranks := sorted(run.processes(only_ranks=True))):
        _signal(dice.choice(ranks), signal.SIGKILL)
    else:
        _signal(run.mpirun.pid, signal.SIGKILL)
    return run.wait_gone(deadline - time.monotonic())


def _stop_for_a_while(run: Run, dice: random.Random) -> None:
    """SIGSTOP to a rank or to all of them, later SIGCONT."""
    ranks = sorted(run.processes(only_ranks=True))
    chosen = dice.sample(ranks, dice.choice((1, len(ranks)))) if ranks else []
    for process in chosen:
        _signal(process, signal.SIGSTOP)
    time.sleep(dice.random() * _LONGEST_STOP_S)
    for process in chosen:
        _signal(process, signal.SIGCONT)


def refused(run: Run, command: Command, dice: random.Random) -> bool:
    """Starts a second command with the output of one that is under way; whether it is refused, and
    the first is not disturbed."""
    lock, began = run.folder / ".out.mkv.lock", time.monotonic()
    while not lock.exists():
        if run.mpirun.poll() is not None or time.monotonic() - began > HANG_S:
            return True  # it has come to its end, or has not begun yet
        time.sleep(POLL_S)
    more = dice.choice(((), ("--run-file", "second.h5"), ("--run-file", "second.h5", "--restart")))
    second = Run(run.folder, 2, replace(command, more=more), "second.txt")
    ended = second.wait_gone(HANG_S)
    second.close()
    if not lock.exists():
        # It came to its end meanwhile.
        return (run.folder / "out.mkv").exists()
    return ended and second.mpirun.returncode == EXIT_BAD_INPUT


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it was faster
        os.kill(process, number)
