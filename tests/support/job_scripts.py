"""Runs job scripts whose program is a stand-in, beside a fake scontrol."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

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
    elif what == "first":  # time only
        if not os.path.exists("begun"):
            open("begun", "w").close()
            if number == "hang":
                time.sleep(600)
            sys.exit(int(number))
    elif what == "wait":
        time.sleep(int(number))
    elif what == "exit":
        sys.exit(int(number))
"""
# Writes down what it is asked, and fails if the site says so.
_SCONTROL = """#!/bin/sh
echo "$*" >> scontrol.log
exit "${FASTVID_TEST_REFUSES:-0}"
"""
# What scripts wait for comes at once here, or never.
_SLEEP = f"""#!/bin/sh
exec {shutil.which("sleep")} 0.3
"""
# The cancel comes while the script waits for one.
SLEEP = """#!/bin/sh
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
    Its sleeps are short, unless there is a bin/sleep already.

    Returns the status, what scontrol was asked, and the messages.
    """
    program = executable(folder / "program", _PROGRAM)
    (folder / "bin").mkdir(exist_ok=True)
    executable(folder / "bin" / "scontrol", _SCONTROL)
    if not (folder / "bin" / "sleep").exists():
        executable(folder / "bin" / "sleep", _SLEEP)
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
