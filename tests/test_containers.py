"""The recipes of containers against the repository, and the Python of a container with a stand-in
for its runtime."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.job_scripts import executable
from support.launching import mpirun
from support.places import REPOSITORY
from support.wheels import build_wheel

CONTAINERS = REPOSITORY / "containers"
# Drops options and image as apptainer does, says what they were, and runs the program.
_APPTAINER = f"""#!/bin/sh
echo "$*" >> "$FASTVID_TEST_LOG"
while [ "$1" != image.sif ]; do shift; done
shift 2  # image.sif python
exec {sys.executable} "$@"
"""
_MEET = (
    "from mpi4py import MPI; world = MPI.COMM_WORLD; found = world.gather(world.rank);"
    "found is None or print(found)"
)


def copied_by_docker() -> set[str]:
    recipe = (CONTAINERS / "Dockerfile").read_text()
    lines = re.findall(r"^COPY (.+) (\S+)$", recipe, flags=re.MULTILINE)
    return {name for names, _ in lines for name in names.split()}


def copied_by_apptainer() -> set[str]:
    recipe = (CONTAINERS / "fastvid.def").read_text()
    (section,) = re.findall(r"^%files\n((?: +.+\n)+)", recipe, flags=re.MULTILINE)
    return {line.split()[0] for line in section.splitlines()}


def test_what_the_recipes_copy_suffices_for_a_wheel(tmp_path: Path) -> None:
    names = copied_by_docker()
    assert names == copied_by_apptainer() and "constraints.txt" in names
    for name in names:
        source = REPOSITORY / name
        if source.is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, tmp_path / "copy" / name, ignore=skipped)
        else:
            (tmp_path / "copy").mkdir(exist_ok=True)
            shutil.copy(source, tmp_path / "copy")
    build_wheel(tmp_path / "copy", tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which `apptainer` and an image are found."""
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin" / "apptainer", _APPTAINER)
    (tmp_path / "image.sif").touch()
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]),
        "FASTVID_IMAGE": "image.sif",
        "FASTVID_CONTAINER_ARGS": "--nv --bind /scratch",
        "FASTVID_TEST_LOG": str(tmp_path / "log"),
    }


@pytest.mark.mpi
def test_ranks_within_containers_meet(tmp_path: Path, environment: dict[str, str]) -> None:
    """The launcher is outside; a word with blanks stays one."""
    command = [mpirun(), "-n", "3", str(CONTAINERS / "python"), "-c", _MEET]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout) == (0, "[0, 1, 2]\n"), ended.stderr
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("exec --nv --bind /scratch image.sif python -c ") for line in lines)


@pytest.mark.parametrize(
    ("lacks", "said"), [("image.sif", "FASTVID_IMAGE"), ("bin/apptainer", "no apptainer")]
)
def test_what_is_missing_is_said_once(
    tmp_path: Path, environment: dict[str, str], lacks: str, said: str
) -> None:
    (tmp_path / lacks).unlink()
    ended = subprocess.run(
        [CONTAINERS / "python", "--version"],
        cwd=tmp_path,
        env={**environment, "PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2 and said in ended.stderr and ended.stderr.count("\n") == 1
