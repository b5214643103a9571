"""What a shell or a service may do to the program's streams, and names that are no UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastvid.errors import EXIT_UNREAD
from fastvid.runfile.reader import RunFile
from support.decode_clips import numbered_clip

COMMAND = [sys.executable, "-m", "fastvid"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("clip")
    path = os.fsencode(numbered_clip(folder / "a.mp4", 3))
    named = path.replace(b"a.mp4", b"f\xff.mp4")
    os.rename(path, named)
    return named


def test_a_name_that_is_no_utf8(tmp_path: Path, clip: bytes, tiny_style: Path) -> None:
    output = os.fsencode(tmp_path) + b"/o\xff.mkv"
    done = subprocess.run(
        [*COMMAND, clip, "-o", output, "--style", tiny_style], capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert os.path.exists(output) and b"o\xff.mkv" in done.stderr
    with RunFile(os.fsdecode(output).replace(".mkv", ".h5")) as run:
        assert os.fsencode(run.attributes["input"]) == clip


def test_a_closed_error_stream(tmp_path: Path, clip: bytes, tiny_style: Path) -> None:
    """As services and `2>&-` leave it; no library may write into a file of ours instead."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, clip, "-o", "o.mkv", "--style", tiny_style],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        timeout=300,
    )
    assert done.returncode == 0 and (tmp_path / "o.mkv").exists()


def test_a_reader_of_the_log_that_goes_away(tmp_path: Path, clip: bytes, tiny_style: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, clip, "-o", tmp_path / "o.mkv", "--style", tiny_style], stderr=writing
    )
    os.close(writing)
    os.close(reading)
    assert process.wait(300) == 0 and (tmp_path / "o.mkv").exists()


def test_a_reader_that_has_seen_enough() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "styles"], stdout=writing, stderr=subprocess.PIPE, timeout=300)
    os.close(writing)
    assert done.returncode == EXIT_UNREAD and done.stderr == b""
