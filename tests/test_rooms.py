"""The rooms of the package: imports go one way, and nothing is loaded that is not asked for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import REPOSITORY

PACKAGE = REPOSITORY / "fastvid"
# An import may only go to a room on an earlier line, or stay within its own.
FLOORS = (
    ("errors",),
    ("system", "decode", "motion", "style"),
    ("regions",),
    ("stages",),
    ("masking",),
    ("runfile",),
    ("encode",),
    ("parallel",),
    ("training", "job"),
    ("commands",),
    ("__init__", "__main__"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a package goes by the name of its folder."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module: str) -> Iterator[str]:
    """The modules of the package that one imports: at its top, in functions, for types alone."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("fastvid"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastvid"):
            assert node.level == 0 and node.module is not None
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


def foreign_imports(module: str) -> set[str]:
    """The libraries that a module imports, by the first part of their names."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.partition(".")[0])
    return found


def room(module: str) -> str:
    """The room, or the file beside the rooms, that a module belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_module_belongs_to_a_room() -> None:
    assert {room(module) for module in MODULES} == set(FLOOR)
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(entries) <= 17


def test_there_is_an_init_in_every_folder() -> None:
    """`packages = find:` silently leaves out a folder without one."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    own = room(module)
    wrong = [
        other
        for other in imports(module)
        if room(other) != own and FLOOR[room(other)] >= FLOOR[own]
    ]
    assert not wrong


def test_no_circle_of_files() -> None:
    graph = {module: set(imports(module)) - {module} for module in MODULES}
    while leaves := [module for module, below in graph.items() if not below & graph.keys()]:
        for module in leaves:
            del graph[module]
    assert not graph


def test_mpi_is_called_from_one_module() -> None:
    """What the ranks say to each other goes through one mailbox."""
    callers = {module for module in MODULES if "mpi4py" in foreign_imports(module)}
    assert callers == {"fastvid.parallel.mpi.transport"}


ROOM_FOLDERS = sorted(
    str(path.parent.relative_to(PACKAGE)) for path in PACKAGE.glob("*/**/__init__.py")
)


@pytest.mark.parametrize("folder", ROOM_FOLDERS)
def test_the_map_of_a_room_names_all_that_is_in_it(folder: str) -> None:
    place = PACKAGE / folder
    tree = ast.parse((place / "__init__.py").read_text(encoding="utf-8"))
    words = re.findall(r"\w+", ast.get_docstring(tree) or "")
    modules = {path.stem for path in place.glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in place.glob("*/__init__.py")}
    assert sorted((modules | rooms) - set(words)) == []


@pytest.mark.parametrize("folder", ROOM_FOLDERS)
def test_a_room_imports_nothing_by_itself(folder: str) -> None:
    """Else whoever wants one module of it loads others."""
    tree = ast.parse((PACKAGE / folder / "__init__.py").read_text(encoding="utf-8"))
    assert [ast.unparse(node) for node in tree.body[1:]] == []
