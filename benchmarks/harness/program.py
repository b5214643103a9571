"""The program as it is, but with parts so short that a short clip has several, and with the disk
waited for so often that this happens while it lasts.

python program.py PART_FRAMES SYNC_INTERVAL_S ARGUMENTS

The environment may say at which system call rank 0 is to end (see `system_calls`).
"""

import atexit
import functools
import os
import sys
from pathlib import Path

import fastvid.job.run
from fastvid.__main__ import run
from fastvid.job.run import run_job
from fastvid.job.tuning import Tuning
from fastvid.runfile import journaled
from harness.system_calls import COUNT, DIE_AT, DURABLE, Calls, Durable


def _watch() -> None:
    """Watches the system calls of this rank, of which only rank 0 writes files of the run."""
    if os.environ.get("PMI_RANK", "0") != "0":
        return
    number, _, share = os.environ.get(DIE_AT, "").partition(":")
    if DURABLE in os.environ:
        Durable(Path(os.environ[DURABLE])).watch()
    calls = Calls(int(number), float(share)) if number else Calls()
    calls.watch()
    atexit.register(lambda: Path(COUNT).write_text(str(calls.count)))


if __name__ == "__main__":
    _watch()
    tuning = Tuning(part_frames=int(sys.argv.pop(1)))
    journaled.SYNC_INTERVAL_S = float(sys.argv.pop(1))
    fastvid.job.run.run_job = functools.partial(run_job, tuning=tuning)
    run()
