"""The command line: which command is meant, and its call. Runs on rank 0 alone.

A command is a module with the same face as all others: a docstring whose first line is its help,
`add_arguments(parser)`, and `run(parsed, comm)`, which returns the exit status.
"""

import argparse
import ast
import sys
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from fastvid.errors import EXIT_BAD_INPUT
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.version import __version__

_DEFAULT = "stylize"
# The module of each command, in `fastvid.commands`. Names, not modules: each is imported when it is
# called, because torch and OpenCV take seconds and most commands need neither.
_MODULES = {
    _DEFAULT: "stylize",
    "styles": "styles",
    "convert": "convert",
    "encode": "encode",
    "export-flow": "export_flow",
    "status": "status",
    "plan": "plan.command",
    "preview": "preview.command",
    "evaluate": "evaluate.command",
    "mask": "mask.command",
    "train": "train",
    "clip": "clip.command",
}

_OVERVIEW = """usage: python -m fastvid [COMMAND] ...

{about}

commands:
{commands}

A video alone is repainted: python -m fastvid in.mp4 -o out.mp4
In parallel: mpirun -n 16 python -m fastvid in.mp4 -o out.mp4
Help for a command: python -m fastvid COMMAND --help
"""


class Command(Protocol):
    """The face of a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds its options and its description."""

    def run(self, parsed: argparse.Namespace, comm: Communicator) -> int:
        """Runs it; returns the exit status. Raises FastvidError for what goes wrong."""


def run_command_line(arguments: list[str], comm: Communicator) -> int:
    """Runs one command; returns the exit status. Raises FastvidError for what goes wrong."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return 0 if arguments else EXIT_BAD_INPUT
    if arguments[0] in ("-V", "--version"):
        sys.stdout.write(f"fastvid {__version__}\n")
        return 0
    name, words = arguments[0], arguments[1:]
    if name not in _MODULES:
        name, words = _DEFAULT, arguments
    command = cast(Command, import_module(f"fastvid.commands.{_MODULES[name]}"))
    return command.run(command_parser(name, command).parse_args(words), comm)


def command_parser(name: str, command: Command) -> argparse.ArgumentParser:
    """The parser of a command."""
    # Not needed for the overview, which must not wait for it.
    from fastvid.system.arguments import Parser

    parser = Parser(prog=f"fastvid {name}", description=command.__doc__)
    command.add_arguments(parser)
    return parser


def overview() -> str:
    """What `fastvid --help` says."""
    lines = [f"  {name:<11}  {_help_line(name)}" for name in _MODULES]
    return _OVERVIEW.format(about=_first_line(_MODULES[_DEFAULT]), commands="\n".join(lines))


def _help_line(name: str) -> str:
    line = _first_line(_MODULES[name]).rstrip(".")
    return line[0].lower() + line[1:]


def _first_line(module: str) -> str:
    """The first line of the docstring of a module beside this one, read without importing it."""
    path = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (docstring or "").splitlines()[0]
