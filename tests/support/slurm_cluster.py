"""A real Slurm on this machine: four nodes, one controller, everything in one folder.

The daemons stay in the foreground, as children of the test with whom they die, and carry a mark in
their environment, as does every job: so that all of it is found and ended, whatever happens.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from support.slurm_configuration import CONFIGURATION, CPUS_PER_NODE, GRES, NODES

PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "scontrol",
    "scancel",
    "sinfo",
    "setpriv",
)
# Debian keeps the daemons where only root's PATH looks.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_MARK = "FASTVID_TEST_SLURM"
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
_START_TIMEOUT_S = 60.0
_POLL_S = 0.25


class SlurmUnavailable(Exception):
    """There is no Slurm here, or it did not come up; the message says why."""


class SlurmCluster:
    """A running Slurm; a context manager. Raises SlurmUnavailable.

    work: a folder that all nodes see, from which jobs are submitted.
    """

    def __init__(self) -> None:
        missing = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
        if missing:
            raise SlurmUnavailable(
                f"Slurm is not installed ({' '.join(missing)} not found); "
                "on Debian: apt-get install slurm-wlm munge"
            )
        # Not pytest's folder: the path of munge's socket may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="fv-slurm-"))
        self.work = self.folder / "work"
        self._daemons: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("SLURM_", "SBATCH_", "PMI", "OMPI_"))
            },
            "PATH": _PATH,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            _MARK: self.folder.name,
        }
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        for name in ("state", "work", *(f"spool/n{node + 1}" for node in range(NODES))):
            (self.folder / name).mkdir(parents=True)
        ctld_port, first_port = _free_ports(1), _free_ports(NODES)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname(),
                user=getpass.getuser(),
                folder=self.folder,
                nodes=NODES,
                ctld_port=ctld_port,
                first_port=first_port,
                last_port=first_port + NODES - 1,
                cpus=CPUS_PER_NODE,
            )
        )
        (self.folder / "gres.conf").write_text(GRES.format(nodes=NODES))
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        self._daemon(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            *(
                f"--{what}={self.folder}/munge.{end}"
                for what, end in (
                    ("socket", "socket"),
                    ("pid-file", "pid"),
                    ("log-file", "log"),
                    ("seed-file", "seed"),
                )
            ),
        )
        self._until(lambda: (self.folder / "munge.socket").exists(), "munged has no socket")
        self._daemon("slurmctld", "-D")
        for node in range(NODES):
            self._daemon("slurmd", "-D", "-N", f"n{node + 1}")
        self._until(self._all_idle, "the nodes did not become idle")
        try:
            self.run("srun", "--nodes=2", "--ntasks=2", "true", timeout=_START_TIMEOUT_S)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise SlurmUnavailable(f"Slurm does not run `true` on two nodes: {error}") from error

    def _daemon(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=_PATH)
        assert program is not None
        with (self.folder / "daemons.log").open("ab") as log:
            self._daemons.append(
                subprocess.Popen(
                    [*_DIE_WITH_PARENT, program, *arguments],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    start_new_session=True,
                )
            )

    def _all_idle(self) -> bool:
        answer = self.run("sinfo", "--noheader", "--Node", "--format=%T", check=False)
        return answer.stdout.split() == NODES * ["idle"]

    def _until(self, condition: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not condition():
            dead = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            if dead or time.monotonic() > deadline:
                logs = sorted(self.folder.glob("*.log"))
                tails = "\n".join(
                    f"{log.name}: {line}"
                    for log in logs
                    for line in log.read_text(errors="replace").splitlines()[-3:]
                )
                raise SlurmUnavailable(f"Slurm did not start: {complaint}; ended: {dead}\n{tails}")
            time.sleep(_POLL_S)

    def run(
        self, *command: object, check: bool = True, timeout: float = 60.0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command of Slurm in `work`."""
        finished = subprocess.run(
            list(map(str, command)),
            cwd=self.work,
            text=True,
            env={**self.environment, **environment},
            timeout=timeout,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        if check and finished.returncode:
            raise AssertionError(
                f"{command} ended with {finished.returncode}:\n{finished.stdout}{finished.stderr}"
            )
        return finished

    def submit(self, *arguments: object, **environment: Any) -> str:
        """The number of a job submitted with `sbatch ARGUMENTS`."""
        return self.run("sbatch", "--parsable", *arguments, **environment).stdout.strip()

    def jobs(self, job: str) -> list[dict[str, str]]:
        """What Slurm knows of a job, or of the tasks of an array, in the order of the tasks."""
        text = self.run("scontrol", "--oneliner", "show", "job", job).stdout
        records = [
            dict(word.split("=", 1) for word in line.split() if "=" in word)
            for line in text.splitlines()
            if line.startswith("JobId=")
        ]
        return sorted(records, key=lambda record: record.get("ArrayTaskId", "").zfill(9))

    def wait(
        self,
        job: str,
        condition: Callable[[list[dict[str, str]]], bool] | None = None,
        timeout: float = 240.0,
    ) -> list[dict[str, str]]:
        """Waits until the job has ended, or until `condition` says so; returns what is known."""
        deadline = time.monotonic() + timeout
        while True:
            records = self.jobs(job)
            if (condition or _all_ended)(records):
                return records
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"job {job} is not there after {timeout:.0f} s: {records}\n{self.logs()}"
                )
            time.sleep(_POLL_S)

    def logs(self) -> str:
        """What the jobs have written, for the message of a test that fails."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')}"
            for log in sorted(self.work.rglob("*.log"))
        )

    def close(self) -> None:
        """Ends the daemons and all that is left of the jobs, and removes the folder."""
        for daemon in reversed(self._daemons):
            daemon.terminate()
        deadline = time.monotonic() + 5.0
        while self._leftovers() and time.monotonic() < deadline:
            for daemon in self._daemons:
                daemon.poll()
            time.sleep(_POLL_S)
        for process in self._leftovers():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for daemon in self._daemons:
            daemon.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _leftovers(self) -> list[int]:
        wanted = f"{_MARK}={self.folder.name}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue  # gone meanwhile, or not ours to see
        return found

    def __enter__(self) -> "SlurmCluster":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _all_ended(records: Sequence[dict[str, str]]) -> bool:
    going = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "REQUEUED")
    return bool(records) and all(record["JobState"] not in going for record in records)


def _free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nobody listens on."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except (OSError, OverflowError):
            continue
