"""Files and functions that can be taken in at a glance."""

import ast
from collections.abc import Iterator

from support.places import REPOSITORY

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
# What is longer today. A name that need not be here any more must go: the lists only get shorter.
LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()


def sources() -> Iterator[tuple[str, str]]:
    """Name within the repository and text of every Python file."""
    for folder in ("fastvid", "tests", "benchmarks"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")


def functions(name: str, text: str) -> Iterator[tuple[str, int]]:
    """Every function of a file, with its lines from `def` to its end."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{name}:{node.name}", node.end_lineno - node.lineno + 1


def test_no_file_is_long() -> None:
    found = {name for name, text in sources() if len(text.splitlines()) > MAX_FILE_LINES}
    assert found == LONG_FILES


def test_no_function_is_long() -> None:
    found = {
        function
        for name, text in sources()
        for function, lines in functions(name, text)
        if lines > MAX_FUNCTION_LINES
    }
    assert found == LONG_FUNCTIONS
