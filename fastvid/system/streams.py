"""Output streams that do not end a run: closed ones, readers that go away, names in any coding."""

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class LastingStream:
    """A text stream whose writes are dropped once its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes, or does nothing where nobody reads."""
        try:
            return self._stream.write(text)
        except OSError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Flushes, or does nothing where nobody reads."""
        try:
            self._stream.flush()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        # What is still buffered must go somewhere when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def flush_streams() -> None:
    """Writes out what both streams still hold; there may be nobody left to read it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def make_streams_last() -> None:
    """Makes stderr of this process such a stream; opens it and stdout where they are closed.

    What a command writes to stdout is what it was called for: where nobody reads that, writing
    raises, as ever. File names that are no UTF-8 come out as the bytes that they are.
    """
    _fill_standard_descriptors()
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:  # Python has found its descriptor closed
            stream = os.fdopen(os.dup(descriptor), "w", encoding="utf-8")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")
        setattr(sys, name, LastingStream(stream) if name == "stderr" else stream)


def _fill_standard_descriptors() -> None:
    """Or the next file that is opened becomes what libraries write their messages to."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
