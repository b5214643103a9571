"""What jobs/lib.sh does with the end of the program, without Slurm: a fake scontrol on the PATH."""

import contextlib
import os
import re
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
    folder: Path,
    acts: str,
    signals: list[signal.Signals],
    *arguments: str,
    script: str = _SCRIPT,
    **environment: str,
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
            ["bash", "-c", script, "job", *arguments],
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
        ("listen ready exit-11", [WARNING], 11),  # a segmentation fault, as mpich says it
        ("listen ready kill-11", [WARNING], 139),
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


# -- hosts.sh --------------------------------------------------------------------------------------

# Stands in for mpirun: says whose it is, writes down its arguments, and runs the program.
_MPIRUN = """#!/bin/sh
if [ "$1" = --version ]; then echo "$FASTVID_TEST_MPI"; exit; fi
case "$*" in
    *" true") case " $FASTVID_TEST_LOST " in *" $4 "*) exit 1 ;; esac; exit 0 ;;
esac
printf '%s\\n' "$@" > mpirun.log
while [ "$1" != -m ]; do program=$1; shift; done
exec "$program"
"""


def run_hosts(
    folder: Path, acts: str, signals: list[signal.Signals], *options: str, **environment: str
) -> tuple[int, list[str], str]:
    """As `run_script`, for hosts.sh outside of Slurm; what mpirun was told in place of scontrol."""
    executable(folder / "mpirun", _MPIRUN)
    hosts = folder / "hosts.txt"
    hosts.write_text("one:2\ntwo\ntwo\n")
    script = f'unset SLURM_JOB_ID; exec "{REPOSITORY}/jobs/hosts.sh" "$@"'
    told = folder / "mpirun.log"
    status, _, messages = run_script(
        folder,
        acts,
        signals,
        "in.mp4",
        "out.mp4",
        *options,
        script=script,
        **{"FASTVID_HOSTS": str(hosts), **environment},
    )
    return status, told.read_text().split("\n") if told.exists() else [], messages


@pytest.mark.parametrize("acts", ["listen ready exit-75", "ready", "listen ready kill-9"])
def test_a_warning_outside_of_slurm_ends_with_75(tmp_path: Path, acts: str) -> None:
    """Whoever repeats the command while it ends so is served."""
    status, _, messages = run_hosts(tmp_path, acts, [WARNING])
    assert status == 75, messages
    assert "unbound" not in messages and "start the same command again" in messages


@pytest.mark.parametrize(("acts", "status"), [("exit-1", 1), ("exit-75", 75), ("exit-0", 0)])
def test_without_a_warning_the_status_stays(tmp_path: Path, acts: str, status: int) -> None:
    found, _, messages = run_hosts(tmp_path, acts, [])
    assert found == status and "again" not in messages


@pytest.mark.parametrize(
    ("launch", "mpi", "told"),
    [
        (None, "HYDRA", "-n 4 -hosts one:2,two:2"),
        ("{} --bind-to none", "mpirun (Open MPI) 5", "--bind-to none -n 4 --host one:2,two:2"),
        ("{} -genv A 1", "HYDRA", "-genv A 1 -n 4 -hosts one:2,two:2"),
        ("{} --hostfile mine -n 3", "mpirun (Open MPI) 5", "--hostfile mine -n 3"),
    ],
)
def test_every_launcher_is_told_the_hosts(
    tmp_path: Path, launch: str | None, mpi: str, told: str
) -> None:
    environment = {"FASTVID_TEST_MPI": mpi}
    if launch is not None:
        environment["FASTVID_LAUNCH"] = launch.format(tmp_path / "mpirun")
    status, words, messages = run_hosts(tmp_path, "exit-0", [], **environment)
    assert status == 0, messages
    assert " ".join(words[: words.index(str(tmp_path / "program"))]) == told


@pytest.mark.parametrize(
    ("lost", "told", "most"),
    [("two", "-n 2 -hosts one:2", "10"), ("two", "", "0"), ("", "", "10"), ("one two", "", "10")],
)
def test_a_failed_job_goes_on_without_lost_hosts(
    lost: str, told: str, most: str, tmp_path: Path
) -> None:
    """If some are lost, and others answer; --restart counts once."""
    status, words, messages = run_hosts(
        tmp_path,
        "exit-1",
        [],
        "--restart",
        FASTVID_TEST_MPI="HYDRA",
        FASTVID_TEST_LOST=lost,
        FASTVID_MAX_LOSSES=most,
    )
    assert status == 1
    if told:
        assert "lost two; going on with 2 ranks on the other hosts" in messages
        assert " ".join(words).startswith(told) and "--restart" not in words
    else:
        assert "going on with" not in messages
        assert "-n 4 -hosts one:2,two:2" in " ".join(words) and "--restart" in words


def test_lsf_brings_its_hosts(tmp_path: Path) -> None:
    environment = {"FASTVID_TEST_MPI": "HYDRA", "FASTVID_HOSTS": "", "PBS_NODEFILE": ""}
    status, words, messages = run_hosts(
        tmp_path, "exit-0", [], LSB_MCPU_HOSTS="one 8 two 4", **environment
    )
    assert status == 0, messages
    assert words[:4] == ["-n", "12", "-hosts", "one:8,two:4"]


def test_a_launcher_that_can_not_be_told_is_refused(tmp_path: Path) -> None:
    status, _, messages = run_hosts(tmp_path, "exit-0", [], FASTVID_LAUNCH="srun --mpi=pmi2")
    assert status == 2 and "is not told the hosts" in messages


def test_arrays_that_may_be_empty(tmp_path: Path) -> None:
    """Bash before 4.4 (CentOS 7) takes an empty array for one that is not set, and stops."""
    for script in (REPOSITORY / "jobs").glob("*.s*"):
        for line in script.read_text().splitlines():
            bare = re.sub(r'\$\{(\w+)\[@\]\+"\$\{\1\[@\]\}"\}', "", line)
            assert not re.search(r"\$\{(launch|arguments)\[@\]\}", bare) or "for word" in bare, line
