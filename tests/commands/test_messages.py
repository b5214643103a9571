"""The messages of what users touch are sentences: a capital or the name of a thing, a full stop."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import REPOSITORY

ROOMS = ("commands", "job")
FILES = [path for room in ROOMS for path in sorted((REPOSITORY / "fastvid" / room).rglob("*.py"))]
ERRORS = {"InputError", "StorageError"}


def messages(path: Path) -> Iterator[str]:
    """The texts that errors are raised with; {} stands for what is put in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[message, *_])):
                if name in ERRORS:
                    yield text(message)


def text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part) for part in node.values)
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "{}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_messages_are_sentences(path: Path) -> None:
    for message in messages(path):
        assert message.endswith((".", "{}")), message
        assert not message[0].islower() or message.startswith("rank "), message
