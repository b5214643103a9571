"""Which run something belongs to: what lies beside a run file bears its run's identity."""

import calendar
import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path

import h5py

from fastvid.runfile import layout


@dataclass(frozen=True)
class RunId:
    """The identity of a run.

    text: of no other run, one line. run_file: where the run gathers. begun_s: seconds since the
    epoch at which a run was begun by a version that gave runs no identity; `text` is then made of
    what its file says. None for all others.
    """

    text: str
    run_file: Path
    begun_s: float | None = None


def read_run_id(file: h5py.File, path: Path) -> RunId:
    """The identity of the run whose open run file lies at `path`. Raises OSError, or ValueError
    for a damaged file."""
    place = path.absolute()
    if layout.RUN_ID in file.attrs:
        return RunId(str(layout.read_attribute(file, layout.RUN_ID)), place)
    created, settings = (_text(file, name) for name in ("created", "settings"))
    digest = hashlib.sha256(f"{created}\n{settings}".encode()).hexdigest()
    return RunId(f"sha256-{digest}", place, _seconds(created))


def _text(file: h5py.File, name: str) -> str:
    try:
        return str(layout.read_attribute(file, name))
    except (KeyError, ValueError):
        return ""


def _seconds(created: str) -> float:
    """A time as run files have it, in seconds since the epoch; infinite if it is none, so that
    nothing is younger."""
    try:
        return float(calendar.timegm(time.strptime(created, layout.CREATED_FORMAT)))
    except ValueError:
        return math.inf
