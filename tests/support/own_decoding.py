"""Runs of ranks that read their own frames."""

import socket
from pathlib import Path

from support.launching import Finished, run_program
from support.places import PROGRAMS

COUNT = 37


HOST = socket.gethostname()


def run(
    inputs: Path,
    tiny_style: Path,
    output: Path,
    *arguments: str,
    source: str = "short.mkv",
    program: tuple[str, ...] = (),
    ranks: int = 3,
) -> Finished:
    """A run over one of the inputs in segments of two frames.

    program: that of tests/support/programs which runs in the place of fastvid, and its words.
    """
    command: list[str | Path] = ["-m", "fastvid"]
    if program:
        command = [PROGRAMS / program[0], *program[1:]]
    return run_program(command, words(inputs / source, tiny_style, output, *arguments), ranks=ranks)


def words(film: Path, tiny_style: Path, output: Path, *arguments: str) -> list[object]:
    """The command line of a run over a film in segments of two frames."""
    return [
        *("stylize", film, "-o", output, "--style", tiny_style),
        *("--threads", "1", "--codec", "ffv1", "--segment-length", "2"),
        *arguments,
    ]
