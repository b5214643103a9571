"""What the user sees while a job runs, written by rank 0 alone, whole lines at a time."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from fastvid.system.resources import human_seconds

# A batch log gets a line after so many seconds, then less and less often, up to the second number.
_FIRST_LINE_S = 10.0
_LONGEST_LINE_S = 300.0
_LINE_GROWTH = 1.5
_BAR_INTERVAL_S = 0.2
# Processes between a rank and the terminal: proxy, mpirun, perhaps a shell or two.
_LAUNCHER_DEPTH = 4
PROGRESS_MODES = ("auto", "bar", "lines", "none")


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Adds --progress, as commands have it that are no job."""
    parser.add_argument("--progress", choices=PROGRESS_MODES, default="auto")


class Progress:
    """Notes, progress and summary of one job.

    mode: "bar" (a live line), "lines" (for logs), "none" (warnings only), or "auto": a bar if the
    output ends on a terminal. clock: counts seconds.
    """

    def __init__(
        self,
        mode: str = "auto",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._stream = stream or sys.stderr
        if mode == "auto":
            mode = "bar" if ends_on_terminal(self._stream) else "lines"
        self._mode = mode
        self._bar: tqdm | None = None
        self._began = self._clock()
        self._first_done: int | None = None
        self._next_line_s = _FIRST_LINE_S
        self._line_gap_s = _FIRST_LINE_S

    def note(self, text: str) -> None:
        """Something the user should know."""
        self._write(f"note: {text}")

    def warn(self, text: str) -> None:
        """Something the user must know, in every mode."""
        self._write(f"warning: {text}", always=True)

    def say(self, text: str) -> None:
        """A plain line."""
        self._write(text)

    def update(self, done: int, total: int | None, shares: Mapping[str, float]) -> None:
        """Shows how far the job is.

        done: frames finished. total: frames in all, None while that is not known. shares: stage to
        its share of the computing time, 0..1.
        """
        if self._first_done is None:
            self._first_done = done
            self._began = self._clock()
        if self._mode == "bar":
            self._update_bar(done, total, shares)
        elif self._mode == "lines":
            self._update_lines(done, total, shares)

    def close(self) -> None:
        """Leaves the live line where it is and goes on below it."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _update_bar(self, done: int, total: int | None, shares: Mapping[str, float]) -> None:
        if self._bar is None:
            self._bar = tqdm(
                total=total,
                initial=done,
                unit="frame",
                file=self._stream,
                mininterval=_BAR_INTERVAL_S,
                dynamic_ncols=True,
                smoothing=0.1,
            )
        self._bar.total = total
        self._bar.set_postfix_str(_share_text(shares), refresh=False)
        if done > self._bar.n:
            self._bar.update(done - self._bar.n)

    def _update_lines(self, done: int, total: int | None, shares: Mapping[str, float]) -> None:
        elapsed = self._clock() - self._began
        if elapsed < self._next_line_s:
            return
        self._line_gap_s = min(self._line_gap_s * _LINE_GROWTH, _LONGEST_LINE_S)
        self._next_line_s = elapsed + self._line_gap_s
        rate = (done - (self._first_done or 0)) / elapsed
        text = f"frame {done}" + (f" of {total}" if total else "") + f", {rate:.2f} frames/s"
        if total and rate > 0:
            text += f", {human_seconds((total - done) / rate)} left"
        if shares:
            text += f" ({_share_text(shares)})"
        self._write(text)

    def _write(self, text: str, always: bool = False) -> None:
        if self._mode == "none" and not always:
            return
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            self._stream.write(text + "\n")
            self._stream.flush()


def shares(stage_seconds: Mapping[str, float]) -> dict[str, float]:
    """The share of each stage in the computing time, 0..1; empty as long as there is none."""
    total = sum(stage_seconds.values())
    if not total:
        return {}
    return {stage: spent / total for stage, spent in stage_seconds.items()}


def _share_text(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def ends_on_terminal(stream: TextIO) -> bool:
    """Whether what is written to `stream` comes out on a terminal.

    Under mpirun a rank's error stream is a pipe to the launcher; then the launcher's own counts, if
    it runs on this host.
    """
    try:
        if stream.isatty():
            return True
        if "PMI_SIZE" not in os.environ and "OMPI_COMM_WORLD_SIZE" not in os.environ:
            return False
        return any(_has_terminal(pid) for pid in _ancestors(os.getpid()))
    except (OSError, ValueError):
        return False


def _ancestors(pid: int) -> list[int]:
    found: list[int] = []
    while len(found) < _LAUNCHER_DEPTH:
        # The name in the second field may hold blanks, the fields behind its bracket may not.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pid = int(fields[1])
        if pid <= 1:
            break
        found.append(pid)
    return found


def _has_terminal(pid: int) -> bool:
    """Whether a launcher (by its name) writes its errors to a terminal."""
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    if not any(word in name for word in ("mpirun", "mpiexec", "orterun", "prterun")):
        return False
    return os.readlink(f"/proc/{pid}/fd/2").startswith(("/dev/pts/", "/dev/tty"))
