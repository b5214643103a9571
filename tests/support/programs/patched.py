"""fastvid with stages that misbehave:  patched.py RULES.json ARGUMENTS...

A rule is {"stage": name, "ranks": [..] or absent for all, "sleep": s} or {..., "call": n,
"action": name}: at the n-th call (from 1) of the stage on that rank it does what `_ACTIONS` says,
after it has written the time into the file "at" of the rule. The stages are "motion", "paint",
"blend", and those of `_PLACES`: encode, store and read a piece, load the stages. {"tuning": {..}}
is a `fastvid.job.steps.Tuning`. Otherwise this is `python -m fastvid ARGUMENTS`.
"""

import functools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from h5py._objects import phil

import fastvid.job.run
import fastvid.stages.choice
import fastvid.stages.recurrent
import fastvid.stages.repaint
from fastvid.__main__ import run
from fastvid.encode.encoder import VideoEncoder
from fastvid.errors import InputError
from fastvid.job.run import run_job
from fastvid.job.tuning import Tuning
from fastvid.parallel.mpi.launch import launched_rank
from fastvid.runfile.writer import RunWriter


def _raise(error: BaseException) -> None:
    raise error


def _fill_disk(rule: dict[str, Any]) -> None:
    """Takes all room of the file system of rule["folder"]."""
    with open(Path(rule["folder"]) / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            return


def _stall_disk(rule: dict[str, Any]) -> None:
    """As a file system that does not answer for rule["seconds"]: within a call of HDF5, whose lock
    is held meanwhile."""
    with phil:
        time.sleep(rule["seconds"])


_ACTIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "ValueError": lambda rule: _raise(ValueError("the weather is bad")),
    "MemoryError": lambda rule: _raise(MemoryError()),
    "InputError": lambda rule: _raise(InputError("the film is too sad")),
    "exit": lambda rule: sys.exit(3),
    "kill": lambda rule: os.kill(os.getpid(), signal.SIGKILL),
    "freeze": lambda rule: os.kill(os.getpid(), signal.SIGSTOP),
    "fill-disk": _fill_disk,
    "stall-disk": _stall_disk,
}


_PLACES: dict[str, tuple[Any, str]] = {
    "encode": (VideoEncoder, "write"),
    "store": (RunWriter, "store"),
    "read": (RunWriter, "read_frame"),
    "load": (fastvid.stages.choice, "choose_stages"),
}


def install(rule: dict[str, Any]) -> None:
    """Puts a rule in front of the stage that it names."""
    if "tuning" in rule:
        tuned = functools.partial(run_job, tuning=Tuning(**rule["tuning"]))
        fastvid.job.run.run_job = tuned
        return
    if launched_rank(os.environ) not in rule.get("ranks", range(1000)):
        return
    if rule["stage"] in _PLACES:
        _patch(*_PLACES[rule["stage"]], rule)
        return
    for owner in (fastvid.stages.repaint.Repaint, fastvid.stages.recurrent.RecurrentRepaint):
        _patch(owner, rule["stage"], rule)


def _patch(owner: Any, name: str, rule: dict[str, Any]) -> None:
    original = getattr(owner, name)
    calls = 0

    def patched(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        time.sleep(rule.get("sleep", 0.0) + random.random() * rule.get("jitter", 0.0))
        if calls == rule.get("call"):
            if "at" in rule:
                Path(rule["at"]).write_text(str(time.time()))
            _ACTIONS[rule["action"]](rule)
        return original(*arguments)

    setattr(owner, name, patched)


if __name__ == "__main__":
    for rule in json.loads(sys.argv[1]):
        install(rule)
    del sys.argv[1]
    run()
