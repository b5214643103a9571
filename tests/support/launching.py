"""Starts the real program, under mpirun or alone, and leaves nothing of it behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest

from fastvid.errors import InputError
from fastvid.runfile.lock import lock_owner
from fastvid.runfile.reader import RunFile
from support.places import REPOSITORY, TESTS

# Many times what any of these jobs takes on an idle machine.
TIMEOUT_S = 180.0
_MARK = "FASTVID_TEST_JOB"


@dataclass(frozen=True)
class Finished:
    """A program that has ended. ended: when, seconds since the epoch."""

    status: int
    stdout: str
    stderr: str
    ended: float


def mpirun() -> str:
    """The launcher; the test is skipped where there is none."""
    found = shutil.which(
        "mpirun",
        path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    )
    if found is None:
        pytest.skip("there is no mpirun beside this Python or on the PATH")
    return found


class RunningJob:
    """A program under way; a context manager that kills what is left of it.

    program: what Python runs, such as ["-m", "fastvid"]. ranks: 0 starts it without mpirun.
    """

    def __init__(
        self,
        program: Sequence[str | Path],
        arguments: Sequence[object],
        *,
        ranks: int = 1,
        env: Mapping[str, str] | None = None,
    ) -> None:
        command = [sys.executable, *map(str, program), *map(str, arguments)]
        if ranks:
            command = [mpirun(), "-n", str(ranks), *command]
        # A name in the environment, by which every process of the job is found again.
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        paths = [str(REPOSITORY), str(TESTS), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            _MARK: self._mark,
            "OMP_NUM_THREADS": "1",
            # To compile the package anew takes half a second of each start.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            **(env or {}),
        }
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
            text=True,
        )

    def processes(self) -> list[int]:
        """The processes of the job that are still there, mpirun's own helpers included."""
        wanted = f"{_MARK}={self._mark}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if wanted in (entry / "environ").read_bytes().split(b"\0") and state != "Z":
                    found.append(int(entry.name))
            except OSError:
                continue  # gone meanwhile, or not ours to see
        return found

    def ended(self) -> bool:
        """Whether the program has come to its end."""
        return self._process.poll() is not None

    def kill(self) -> Finished:
        """SIGKILL to every process of the job at once."""
        for process in self.processes():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return self.wait()

    def terminate(self) -> None:
        """SIGTERM to what was started: mpirun, or the program itself."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """A signal to what was started."""
        self._process.send_signal(number)

    def wait(self, timeout: float = TIMEOUT_S) -> Finished:
        """The end of the program; fails the test if that does not come in time."""
        try:
            stdout, stderr = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill_leftovers()
            stdout, stderr = self._process.communicate()
            pytest.fail(f"the job did not end within {timeout:.0f} s:\n{stdout}\n{stderr}")
        return Finished(self._process.returncode, stdout, stderr, time.time())

    def kill_leftovers(self) -> None:
        """Ends what is left, without asking."""
        for process in self.processes():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def __enter__(self) -> "RunningJob":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill_leftovers()
        self._process.communicate()


def run_program(
    program: Sequence[str | Path],
    arguments: Sequence[object],
    *,
    ranks: int = 1,
    timeout: float = TIMEOUT_S,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a program to its end; see `RunningJob`."""
    with RunningJob(program, arguments, ranks=ranks, env=env) as job:
        return job.wait(timeout)


def run_fastvid(
    *arguments: object,
    ranks: int = 1,
    timeout: float = TIMEOUT_S,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """`mpirun -n RANKS python -m fastvid ARGUMENTS --threads 1` (ranks=0: without mpirun)."""
    return run_program(
        ["-m", "fastvid"], [*arguments, "--threads", "1"], ranks=ranks, timeout=timeout, env=env
    )


def stored_count(path: Path) -> int:
    """Frames in a run file that somebody may be writing."""
    try:
        with RunFile(path) as run:
            return int(run.stored.sum())
    except InputError:
        return 0  # not begun, or caught in the middle of a change


def wait_for_lock(path: Path) -> None:
    """Until nothing is left of a killed owner of a run file or output."""
    deadline = time.monotonic() + TIMEOUT_S
    while lock_owner(path) is not None and time.monotonic() < deadline:
        time.sleep(0.005)


def wait_for_frames(job: RunningJob, path: Path, count: int) -> None:
    """Until so many frames can be read from the run file of a job that is under way."""
    deadline = time.monotonic() + TIMEOUT_S
    while stored_count(path) < count:
        assert not job.ended() and time.monotonic() < deadline, job.wait().stderr
        time.sleep(0.02)
