"""A log file that nobody has to wait for, whatever the disk does."""

import logging
import sys
from pathlib import Path

from fastvid.system.threads import BackgroundThread, Channel

# Lines that wait for the disk: at most so many, then they are counted and left out.
_MAX_WAITING = 100_000
# How long `close` waits for what is left.
_CLOSE_PATIENCE_S = 5.0


class LogFile(logging.Handler):
    """Appends records to a file, each as soon as the disk takes it, in a thread of its own.

    max_waiting: lines. Raises OSError if the file can't be opened. Once it can't be written any
    further that is said on the error stream, and the rest is dropped.
    """

    def __init__(self, path: Path, max_waiting: int = _MAX_WAITING) -> None:
        super().__init__()
        self._path = path
        self._stream = path.open("a", encoding="utf-8")
        self._lines: Channel[str] = Channel(max_waiting)
        self._missing = 0
        self._thread = BackgroundThread("fastvid-log", self._write, self._give_up)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record; never waits."""
        try:
            line = self.format(record)
        except Exception:  # as every handler does: a bad message is no reason to stop
            self.handleError(record)
            return
        if not self._lines.room():
            self._missing += 1
            return
        if self._missing:
            line, self._missing = f"{self._gap()}\n{line}", 0
        self._lines.put(line)

    def close(self) -> None:
        """Writes what is left, as far as the disk takes it within some seconds."""
        self._lines.finish()
        self._thread.join(_CLOSE_PATIENCE_S)
        super().close()

    def _write(self) -> None:
        with self._stream:
            for line in self._lines:
                self._stream.write(line + "\n")
                if not self._lines.ready():
                    self._stream.flush()
            if self._missing:
                self._stream.write(self._gap() + "\n")

    def _gap(self) -> str:
        return f"{self._missing} lines are missing here"

    def _give_up(self, error: BaseException) -> None:
        self._lines.stop()
        sys.stderr.write(
            f"fastvid: warning: the log {self._path} can't be written any further: {error}\n"
        )
