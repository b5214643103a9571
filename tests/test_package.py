"""What is loaded for a question, and what a wheel holds."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.places import REPOSITORY
from support.wheels import build_wheel

# `python -m fastvid ARGUMENTS`, and then the modules that it has loaded.
LOADED = """
import runpy, sys
try:
    runpy.run_module("fastvid", run_name="__main__")
finally:
    with open(LIST, "w") as stream:
        stream.write("\\n".join(sys.modules))
"""


def loaded_by(folder: Path, *arguments: str) -> set[str]:
    """The modules that a command line has loaded by its end."""
    listed = folder / "modules"
    program = LOADED.replace("LIST", repr(str(listed)))
    finished = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert finished.returncode == 0 and finished.stdout, finished.stderr
    return set(listed.read_text().splitlines())


@pytest.mark.parametrize("arguments", [("--help",), ("styles",)])
def test_a_question_loads_no_torch(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Starting is quick where nothing is painted."""
    modules = loaded_by(tmp_path, *arguments)
    assert "fastvid.commands.cli" in modules
    assert "torch" not in modules


def sources() -> list[Path]:
    """The files of the repository, relative to it, that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("the sources are no git repository: what belongs to them is not known")
    files = [Path(name) for name in listed.stdout.split("\0") if name]
    return [file for file in files if (REPOSITORY / file).is_file()]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of all sources."""
    for file in sources():
        target = tmp_path / "copy" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / file, target)
    return build_wheel(tmp_path / "copy", tmp_path)


def test_a_wheel_holds_every_module_and_style(wheel: Path) -> None:
    """And no tests. setuptools silently leaves out what nobody has named."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {file.as_posix() for file in sources() if file.parts[0] == "fastvid"}
    assert packed == wanted
    styles = {Path(name).stem for name in wanted if name.endswith(".pt")}
    assert styles and all(f"fastvid/style/bundled/{name}.json" in packed for name in styles)
    assert "fastvid/py.typed" in packed
