"""Repaints by the Python interface, as a user's script does under mpirun:

    python_interface.py JSON [uncaught]

JSON: a list of calls, each a table of the arguments of `fastvid.stylize`, and perhaps "trouble":
[rank, name of an error that it raises instead of making its stages], or [rank, "stop"]: the rank is
stopped (SIGSTOP) before the call. Every rank writes a line with what it got, or with the error, for
each; with "uncaught" errors are left to the interpreter.
"""

import builtins
import os
import signal
import sys
from json import loads
from typing import Any
from unittest import mock

import fastvid
import fastvid.stages.choice
from fastvid.parallel.mpi.lifetime import connect

_choose_stages = fastvid.stages.choice.choose_stages
_troubled: list[Any] = []


def _choose_or_raise(*arguments: Any) -> Any:
    rank, name = _troubled or (-1, "")
    if rank == connect().rank:
        raise getattr(builtins, name)("the weather is bad")
    return _choose_stages(*arguments)


def _repaint(call: dict[str, Any]) -> str:
    _troubled[:] = call.pop("trouble", [])
    if _troubled == [connect().rank, "stop"]:
        os.kill(os.getpid(), signal.SIGSTOP)
    result = fastvid.stylize(call.pop("input"), call.pop("output"), **call)
    return "None" if result is None else f"{result.frames} frames in {result.outputs[0].name}"


def _told(call: dict[str, Any]) -> str:
    try:
        return _repaint(call)
    except fastvid.FastvidError as error:
        return f"{type(error).__name__} {error.exit_status}: {str(error).splitlines()[0]}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    mock.patch.object(fastvid.stages.choice, "choose_stages", _choose_or_raise).start()
    for call in loads(sys.argv[1]):
        line = _repaint(call) if "uncaught" in sys.argv else _told(call)
        # The ranks share one pipe: a line is written at once.
        sys.stdout.write(f"rank {connect().rank}: {line}\n")
        sys.stdout.flush()
