"""The commands: one shape for all, each loaded only when it is called, quiet where nobody reads."""

import ast
import json
import os
import subprocess
import sys
from importlib import import_module
from inspect import signature

import pytest

from fastvid.commands import cli
from fastvid.errors import EXIT_BAD_INPUT, EXIT_UNREAD
from support.places import REPOSITORY

COMMANDS = sorted(cli._MODULES)
# Of what Python, numpy and MPI load by themselves there are about three times as many.
MOST_OWN_MODULES = 33
# Loading any of them takes a second or more, or reads a lot from a shared file system.
HEAVY = {"torch", "cv2", "av", "h5py", "scenedetect"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_same_face(name: str) -> None:
    command = import_module(f"fastvid.commands.{cli._MODULES[name]}")
    assert list(signature(command.add_arguments).parameters) == ["parser"]
    assert list(signature(command.run).parameters) == ["parsed", "comm"]
    line = (command.__doc__ or "").splitlines()[0]
    assert line.endswith(".") and line[0].isupper()
    assert f"  {name:<11}  {line[0].lower()}{line[1:-1]}\n" in cli.overview()
    assert f"usage: fastvid {name}" in cli.command_parser(name, command).format_help()


def test_every_module_with_the_face_is_a_command() -> None:
    folder = REPOSITORY / "fastvid" / "commands"
    faces = set()
    for path in folder.rglob("*.py"):
        names = {
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        if {"add_arguments", "run"} <= names:
            faces.add(".".join(path.relative_to(folder).with_suffix("").parts))
    assert faces == set(cli._MODULES.values())


def loaded(*arguments: str) -> list[str]:
    """The modules that are loaded when fastvid has done what the arguments ask for."""
    script = (
        "import json, sys\n"
        "from fastvid.__main__ import main\n"
        "status = main(sys.argv[1:])\n"
        "sys.stderr.write(json.dumps([status, sorted(sys.modules)]))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    status, names = json.loads(finished.stderr.splitlines()[-1])
    assert status == 0 and finished.stdout
    return list(names)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["styles"]])
def test_little_is_loaded_for_little(arguments: list[str]) -> None:
    names = loaded(*arguments)
    assert not HEAVY & set(names)
    own = [name for name in names if name.split(".")[0] == "fastvid"]
    assert len(own) <= MOST_OWN_MODULES, own


@pytest.mark.parametrize("command", ["stylize", "encode", "status", "export-flow", "clip"])
def test_help_of_a_command_loads_no_torch(command: str) -> None:
    assert "torch" not in loaded(command, "--help")


@pytest.mark.parametrize(
    ("arguments", "buffered"),
    [
        (["styles"], True),
        (["styles"], False),
        (["--help"], True),
        (["--help"], False),
        (["stylize", "--help"], True),
    ],
)
def test_nobody_reads(arguments: list[str], buffered: bool) -> None:
    """As behind `| head -1`: a pipe whose reader has left, before anything is written."""
    reader, writer = os.pipe()
    os.close(reader)
    finished = subprocess.run(
        [sys.executable, "-m", "fastvid", *arguments],
        cwd=REPOSITORY,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"},
    )
    os.close(writer)
    assert finished.stderr == ""
    assert finished.returncode == EXIT_UNREAD


def test_the_first_line_alone_is_read() -> None:
    finished = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m fastvid styles | head -1"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert finished.stdout == "starry_night (default)\n" and finished.stderr == ""
    assert finished.returncode in (0, EXIT_UNREAD)  # head may have read all before it left


def test_a_broken_pipe_of_another_kind_is_an_error(
    run_main: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk or a program that breaks off is no reader that left: it is told, with where it was."""

    def break_off(arguments: object, comm: object) -> int:
        raise BrokenPipeError("the encoder is gone")

    monkeypatch.setattr(cli, "run_command_line", break_off)
    assert callable(run_main)
    status, message = run_main("styles")
    assert status == 1 and "the encoder is gone" in message


def test_help_without_arguments_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    from fastvid.__main__ import main

    assert main([]) == EXIT_BAD_INPUT
    assert main(["help"]) == 0
    first, second = capsys.readouterr().out.split("usage: python -m fastvid")[1:]
    assert first == second
