"""Loses a host of four at random moments of real jobs, and counts what that costs.

    python benchmarks/host_losses.py --losses 50 --seed 1        # as root, needs iproute2

Hosts are network namespaces on this machine (see `harness.network_hosts`) with a rank each; the job
is jobs/hosts.sh, which goes on by itself from the run file. A host is lost from one moment to the
next, its network first, at any time from the start of the job to when it would have ended: never
the first one, where rank 0, the job script and the disk are. What counts: jobs that did not come to
their end by themselves, frames with other bytes than those of a job that lost nothing (both must be
0), and the seconds that a job took longer than that one.
"""

import argparse
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chaos import make_material
from fastvid.runfile.reader import RunFile
from harness.network_hosts import HostsUnavailable, NetworkHosts
from harness.result import Bar, Figure, add_json_option, measured, write_result
from harness.running import launcher

REPOSITORY = Path(__file__).resolve().parents[1]
_HOSTS = 4
_PATIENCE_S = 600.0
_FILM, _STYLE, _RUN_FILE = "clip.mp4", "style.pt", "out.h5"
NOT_FINISHED, OTHER_BYTES, LOST_S = "not finished", "other bytes", "seconds lost"


@dataclass(frozen=True)
class Outcome:
    """A job. status: its exit status, None if it had to be ended. frames: of its run file, None
    where it is not complete. seconds: that it took. lost: whether a host was lost in time. said:
    what the script and the program said."""

    status: int | None
    frames: np.ndarray | None
    seconds: float
    lost: bool
    said: str


class Job:
    """A job on hosts of its own, in a folder of its own. settings: of the program's arguments."""

    def __init__(self, folder: Path, material: Path, settings: argparse.Namespace) -> None:
        folder.mkdir()
        self._folder, self._material, self._settings = folder, material, settings

    def run(self, number: int | None, moment_s: float) -> Outcome:
        """Runs it and loses the host of a number (None: none) after so many seconds."""
        with NetworkHosts(self._folder, _HOSTS) as hosts:
            for name in (_FILM, _STYLE):
                (hosts.work / name).write_bytes((self._material / name).read_bytes())
            began = time.monotonic()
            job = self._start(hosts)
            try:
                lost = number is not None and not self._ended_within(job, moment_s)
                if lost and number is not None:
                    hosts.lose(number)
                said, _ = job.communicate(timeout=_PATIENCE_S)
                status: int | None = job.returncode
            except subprocess.TimeoutExpired:
                job.kill()
                said, _ = job.communicate()
                status = None
            seconds = time.monotonic() - began
            return Outcome(status, _frames(hosts.work / _RUN_FILE), seconds, lost, said)

    def _start(self, hosts: NetworkHosts) -> subprocess.Popen[str]:
        listed = self._folder / "listed"
        listed.write_text("".join(f"{address}\n" for address in hosts.addresses))
        words = ["--style", _STYLE, "--threads", "1", "--codec", "ffv1"]
        return subprocess.Popen(
            [*hosts.launch_on_switch, REPOSITORY / "jobs" / "hosts.sh", _FILM, "out.mkv", *words],
            cwd=hosts.work,
            env={
                **os.environ,
                **hosts.environment,
                "FASTVID_PYTHON": str(self._slow_python()),
                "FASTVID_LAUNCH": f"{launcher()} {' '.join(hosts.launcher_options()[:2])}",
                "FASTVID_HOSTS": str(listed),
                "FASTVID_RANK_TIMEOUT": str(self._settings.rank_timeout),
                "FASTVID_ANSWER_S": str(self._settings.answer),
                "OMP_NUM_THREADS": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _slow_python(self) -> Path:
        """A Python whose `-m fastvid` pauses before each frame."""
        program = REPOSITORY / "benchmarks" / "harness" / "slow_painting.py"
        words = shlex.join([sys.executable, str(program), str(self._settings.pause)])
        python = self._folder / "python"
        python.write_text(f'#!/bin/bash\nshift 2 # -m fastvid\nexec {words} "$@"\n')
        python.chmod(0o755)
        return python

    @staticmethod
    def _ended_within(job: subprocess.Popen[str], seconds: float) -> bool:
        # What is said meanwhile fits into the pipe.
        try:
            job.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def main() -> int:
    """Runs the jobs and prints what was found; the exit status is 1 if anything was wrong."""
    parsed = _parse()
    with tempfile.TemporaryDirectory(prefix="fastvid-losses-") as temporary:
        folder = Path(temporary)
        make_material(folder)
        try:
            peace = Job(folder / "peace", folder, parsed).run(None, 0.0)
        except HostsUnavailable as error:
            raise SystemExit(f"No hosts can be made here: {error}") from error
        if peace.status != 0 or peace.frames is None:
            raise SystemExit(f"The job that nobody disturbed failed:\n{peace.said}")
        sys.stdout.write(f"in peace {peace.seconds:.1f} s\n")
        with ThreadPoolExecutor(parsed.at_once) as pool:
            jobs = [
                pool.submit(_lose_one, folder, number, parsed, peace)
                for number in range(parsed.losses)
            ]
            outcomes = [job.result() for job in jobs]
    figures = list(figures_of(outcomes, peace))
    for figure in figures:
        sys.stdout.write(f"{figure.name:<24} {figure.value:8.1f} {figure.unit}\n")
    for outcome in outcomes:
        if _is_wrong(outcome, peace):
            sys.stdout.write(f"status {outcome.status}:\n{outcome.said}\n")
    write_result(parsed.json, measured("host_losses", parsed, figures))
    return int(any(_is_wrong(outcome, peace) for outcome in outcomes))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--losses", type=int, default=50)
    add("--seed", type=int, default=1)
    add("--at-once", type=int, default=1, help="jobs that run beside each other")
    add("--pause", type=float, default=0.8, help="seconds before each of the 72 frames")
    add("--rank-timeout", type=float, default=20.0, help="FASTVID_RANK_TIMEOUT of the job scripts")
    add("--answer", type=int, default=15, help="FASTVID_ANSWER_S of the job scripts")
    add_json_option(parser)
    return parser.parse_args()


def _lose_one(folder: Path, number: int, parsed: argparse.Namespace, peace: Outcome) -> Outcome:
    """A job that loses a host; again where that came too late."""
    dice = random.Random(f"{parsed.seed} {number}")
    while True:
        job = Job(folder / f"{number}-{dice.random()}", folder, parsed)
        host, moment_s = dice.randint(2, _HOSTS), dice.uniform(0, peace.seconds)
        outcome = job.run(host, moment_s)
        if outcome.lost or outcome.status != 0:
            sys.stdout.write(
                f"{number}: host {host} lost after {moment_s:.1f} s, status {outcome.status}, "
                f"{outcome.seconds - peace.seconds:.1f} s lost\n"
            )
            sys.stdout.flush()
            return outcome


def _frames(path: Path) -> np.ndarray | None:
    """The frames of a run file that is complete."""
    if not path.exists():
        return None
    with RunFile(path) as run:
        if not run.complete:
            return None
        return np.stack([run.frame(index) for index in range(run.frame_count)])


def _is_wrong(outcome: Outcome, peace: Outcome) -> bool:
    return outcome.status != 0 or not _same(outcome, peace)


def _same(outcome: Outcome, peace: Outcome) -> bool:
    if outcome.frames is None or peace.frames is None:
        return False
    return np.array_equal(outcome.frames, peace.frames)


def figures_of(outcomes: list[Outcome], peace: Outcome) -> Iterator[Figure]:
    """Counts of what went wrong, and how much longer the jobs took than in peace."""
    zero = Bar(at_most=0.0)
    yield Figure("losses", len(outcomes), "count")
    unfinished = sum(outcome.status != 0 for outcome in outcomes)
    yield Figure(NOT_FINISHED, unfinished, "count", bar=zero)
    other = sum(outcome.status == 0 and not _same(outcome, peace) for outcome in outcomes)
    yield Figure(OTHER_BYTES, other, "count", bar=zero)
    lost = sorted(outcome.seconds - peace.seconds for outcome in outcomes if outcome.status == 0)
    if lost:
        yield Figure(LOST_S, float(np.median(lost)), "s", low=lost[0], high=lost[-1])
        yield Figure(f"most {LOST_S}", lost[-1], "s", bar=Bar(at_most=60.0))


if __name__ == "__main__":
    sys.exit(main())
