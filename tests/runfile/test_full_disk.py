"""A run file where there is no room, or no folder."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastvid.errors import StorageError
from fastvid.runfile.reader import RunFile
from fastvid.runfile.writer import RunWriter
from support.run_files import create, frame, store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_stored(small_disk: Path, tmp_path: Path) -> None:
    path = small_disk / "run.h5"
    writer = create(path)
    stored = 0
    with pytest.raises(StorageError, match="No space left on device") as error:
        for index in range(1000):
            store(writer, index, 4 * index, 4 * index + 4)
            stored = 4 * index + 4
    assert "make room" in str(error.value) and 40 < stored < 900
    writer.close()
    larger = tmp_path / "run.h5"
    shutil.copy(path, larger)
    writer = RunWriter.continue_run(larger, "none")
    assert writer.stored == set(range(stored))
    store(writer, stored // 4, stored, stored + 4)
    writer.close()
    with RunFile(larger) as run:
        assert all(np.array_equal(run.frame(i), frame(i)) for i in range(stored + 4))


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be written"):
        create(tmp_path / "no" / "such" / "folder.h5")
