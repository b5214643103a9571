"""The program under way under mpirun, as `killing` begins and ends it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastvid.system.resources import usable_cores
from harness.system_calls import DURABLE

_MARK = "FASTVID_CHAOS"
_BENCHMARKS = Path(__file__).parents[1]
_PART_FRAMES = 15
# A run lasts a few seconds; the disk is to be waited for a few times.
_SYNC_INTERVAL_S = 0.3
# Looking through all processes of the machine takes its time.
_LOOK_AROUND_S = 0.05


@dataclass(frozen=True)
class Command:
    """What is started. styles: their files. discard: with --discard-frames. output: what -o says.
    more: other arguments."""

    styles: tuple[str, ...]
    discard: bool
    output: str = "out.mkv"
    more: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The arguments of the program."""
        words = ["clip.mp4", "-o", self.output, "--threads", "1", "--codec", "ffv1", *self.more]
        for style in self.styles:
            words += ["--style", style]
        return [*words, "--discard-frames"] if self.discard else words

    def outputs(self) -> dict[str, Path]:
        """The film of each style, relative to the folder; the run file is beside it."""
        path = Path(self.output)
        if len(self.styles) == 1:
            return {self.styles[0]: path}
        return {
            style: path.with_name(f"{path.stem}.{Path(style).stem}{path.suffix}")
            for style in self.styles
        }


@dataclass(frozen=True)
class Peace:
    """A run that nobody disturbed: its frames by style, the size of a run file, seconds to its
    first frame, system calls of rank 0 that changed a file."""

    frames: Mapping[str, np.ndarray]
    run_bytes: int
    starting_s: float
    calls: int


class Run:
    """The program under way, on so many ranks; all its processes bear a mark.

    environment: what they are told besides, see `system_calls`.
    """

    def __init__(
        self,
        folder: Path,
        ranks: int,
        command: Command,
        log_name: str = "log.txt",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.command = folder, command
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self._log = (folder / log_name).open("ab")
        program = [sys.executable, "-m", "harness.program"]
        program += [str(_PART_FRAMES), str(_SYNC_INTERVAL_S), *command.words()]
        self.mpirun = subprocess.Popen(
            [launcher(), "-n", str(ranks), *program],
            cwd=folder,
            env={
                **os.environ,
                _MARK: self._mark,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(
                    filter(None, [str(_BENCHMARKS), os.environ.get("PYTHONPATH")])
                ),
                DURABLE: str(durable_folder(folder)),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def processes(self, only_ranks: bool = False) -> list[int]:
        """What is still there of the program; only_ranks: without mpirun, and without what a rank
        may have started."""
        found: dict[int, bool] = {}
        parents = {}
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
                stat = (entry / "stat").read_text()
            except (OSError, ValueError):
                continue  # gone meanwhile, not a process, or not ours
            if f"{_MARK}={self._mark}".encode() in words:
                process = int(entry.name)
                found[process] = any(word.startswith(b"PMI_RANK=") for word in words)
                parents[process] = int(stat.rpartition(")")[2].split()[1])
        if not only_ranks:
            return list(found)
        return [one for one, rank in found.items() if rank and not found.get(parents[one])]

    def send(self, number: signal.Signals, processes: Sequence[int] | None = None) -> None:
        """Sends a signal to these processes, or to all."""
        for process in self.processes() if processes is None else processes:
            with suppress(ProcessLookupError):  # it was faster
                os.kill(process, number)

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
        self.send(signal.SIGKILL)
        self.mpirun.wait()
        return False

    def close(self) -> None:
        """Leaves nothing behind."""
        self.wait_gone(0.0)
        self._log.close()


def as_busy_as(seconds: float) -> float:
    """So many seconds of a quiet machine, on this one as busy as it is now."""
    return seconds * max(1.0, os.getloadavg()[0] / usable_cores())


def durable_folder(folder: Path) -> Path:
    """Where it is kept what has reached the disk of a run's files."""
    return folder.with_name(f"{folder.name}.durable")


def launcher() -> str:
    """The mpirun beside this Python, or else on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    launcher = shutil.which("mpirun", path=path)
    if launcher is None:
        raise SystemExit("There is no mpirun beside this Python or on the PATH.")
    return launcher
