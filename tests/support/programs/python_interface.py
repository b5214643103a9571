"""Repaints by the Python interface, as a user's script does under mpirun:  python_interface.py JSON

JSON: a list of calls, each a table of the arguments of `fastvid.stylize`. Every rank writes a line
with what it got, or with the error, for each.
"""

import json
import sys
from typing import Any

import fastvid
from fastvid.parallel.mpi.lifetime import connect


def _told(call: dict[str, Any]) -> str:
    try:
        result = fastvid.stylize(call.pop("input"), call.pop("output"), **call)
    except fastvid.FastvidError as error:
        return f"{type(error).__name__} {error.exit_status}: {str(error).splitlines()[0]}"
    return "None" if result is None else f"{result.frames} frames in {result.outputs[0].name}"


if __name__ == "__main__":
    for call in json.loads(sys.argv[1]):
        line = _told(call)
        # The ranks share one pipe: a line is written at once.
        sys.stdout.write(f"rank {connect().rank}: {line}\n")
        sys.stdout.flush()
