"""What jobs/lib.sh does with the end of the program, without Slurm: a fake scontrol on the PATH."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.launching import TIMEOUT_S
from support.places import REPOSITORY

# Stands in for Python, or for what launches it: does in turn what FASTVID_TEST_ACTS says.
_PROGRAM = f"""#!{sys.executable}
import os, signal, sys, time
heard = []
for act in os.environ["FASTVID_TEST_ACTS"].split():
    what, _, number = act.partition("-")
    if what == "listen":  # else the first signal kills it
        for warning in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(warning, lambda number, frame: heard.append(number))
    elif what == "ready":
        open("ready", "w").close()
        while not heard:
            time.sleep(0.02)
    elif what == "kill":
        os.kill(os.getpid(), int(number))
    elif what == "exit":
        sys.exit(int(number))
"""
# Writes down what it is asked, and fails if the site says so.
_SCONTROL = """#!/bin/sh
echo "$*" >> scontrol.log
exit "${FASTVID_TEST_REFUSES:-0}"
"""
# The cancel comes while the script waits for one.
_SLEEP = """#!/bin/sh
kill -s TERM "$PPID"
"""
_SCRIPT = """
source "$FASTVID_JOBS/lib.sh" || exit
launch_one
run_fastvid stylize "$@"
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def run_script(
    folder: Path, acts: str, signals: list[signal.Signals], *arguments: str, **environment: str
) -> tuple[int, list[str], str]:
    """Runs a job script whose program does `acts`; it gets `signals` once the program is ready.

    Returns the status, what scontrol was asked, and the messages.
    """
    program = executable(folder / "program", _PROGRAM)
    (folder / "bin").mkdir(exist_ok=True)
    executable(folder / "bin" / "scontrol", _SCONTROL)
    messages = folder / "messages"
    with messages.open("w") as errors:
        job = subprocess.Popen(
            ["bash", "-c", _SCRIPT, "job", *arguments],
            cwd=folder,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env={
                "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
                "FASTVID_TEST_ACTS": acts,
                "FASTVID_JOBS": str(REPOSITORY / "jobs"),
                "FASTVID_PYTHON": str(program),
                "SLURM_JOB_ID": "7",
                **environment,
            },
        )
        try:
            deadline = time.monotonic() + TIMEOUT_S
            while signals and not (folder / "ready").exists():
                assert job.poll() is None and time.monotonic() < deadline, messages.read_text()
                time.sleep(0.02)
            for number in signals:
                job.send_signal(number)
            status = job.wait(TIMEOUT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing is left of it
                os.killpg(job.pid, signal.SIGKILL)
    asked = folder / "scontrol.log"
    return status, asked.read_text().splitlines() if asked.exists() else [], messages.read_text()


WARNING, CANCEL = signal.SIGUSR1, signal.SIGTERM


@pytest.mark.parametrize(
    ("acts", "status"),
    [
        ("listen ready exit-75", 75),  # stopped in good order
        ("ready", 138),  # killed by the warning
        ("listen ready kill-9", 137),
        # As mpich's mpirun says it: the numbers of the signals that killed ranks, in one.
        ("listen ready exit-9", 9),
        ("listen ready exit-10", 10),
        ("listen ready exit-11", 11),
        ("listen ready exit-15", 15),
        # As srun and Open MPI's mpirun say it.
        ("listen ready exit-137", 137),
        ("listen ready exit-138", 138),
        ("listen ready exit-142", 142),
        ("listen ready exit-143", 143),
    ],
)
def test_what_its_warning_ended_is_requeued(tmp_path: Path, acts: str, status: int) -> None:
    found, asked, messages = run_script(tmp_path, acts, [WARNING])
    assert (found, asked) == (status, ["requeue 7"]), messages
    assert "back in the queue (restart 1)" in messages


@pytest.mark.parametrize(
    ("acts", "signals", "status"),
    [
        ("listen ready exit-0", [WARNING], 0),  # it was done
        ("listen ready exit-1", [WARNING], 1),
        ("listen ready exit-2", [WARNING], 2),
        ("listen ready exit-134", [WARNING], 134),  # an abort of its own
        ("listen ready exit-75", [CANCEL], 75),
        ("ready", [CANCEL], 143),
        ("listen ready exit-75", [WARNING, CANCEL], 75),
        ("listen ready exit-137", [WARNING, CANCEL], 137),
        ("exit-75", [], 75),  # a time limit of its own
        ("exit-9", [], 9),
        ("exit-137", [], 137),
        ("exit-138", [], 138),
        ("exit-1", [], 1),
        ("exit-2", [], 2),
        ("exit-0", [], 0),
    ],
)
def test_anything_else_stays_ended(
    tmp_path: Path, acts: str, signals: list[signal.Signals], status: int
) -> None:
    found, asked, messages = run_script(tmp_path, acts, signals)
    assert (found, asked) == (status, []), messages


def test_a_cancel_counts_that_reaches_the_ranks_first(tmp_path: Path) -> None:
    """They have ended when the script hears of it."""
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin" / "sleep", _SLEEP)
    found, asked, messages = run_script(tmp_path, "listen ready exit-75", [WARNING])
    assert (found, asked) == (75, []), messages


def test_a_task_of_an_array_requeues_itself_alone(tmp_path: Path) -> None:
    _, asked, messages = run_script(
        tmp_path, "listen ready exit-75", [WARNING], SLURM_ARRAY_JOB_ID="5", SLURM_ARRAY_TASK_ID="3"
    )
    assert asked == ["requeue 5_3"], messages


def test_restarts_come_to_an_end(tmp_path: Path) -> None:
    found, asked, messages = run_script(
        tmp_path,
        "listen ready exit-75",
        [WARNING],
        SLURM_RESTART_COUNT="4",
        FASTVID_MAX_RESTARTS="4",
    )
    assert (found, asked) == (75, []) and "giving up (FASTVID_MAX_RESTARTS=4)" in messages


def test_a_site_that_does_not_requeue_is_said(tmp_path: Path) -> None:
    found, asked, messages = run_script(
        tmp_path, "listen ready exit-75", [WARNING], FASTVID_TEST_REFUSES="1"
    )
    assert (found, asked) == (75, ["requeue 7"])
    assert "Slurm does not requeue this job" in messages and "back in the queue" not in messages
