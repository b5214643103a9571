"""Whatever write fails, and however: one message, and the file holds what was stored before."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastvid.errors import StorageError
from fastvid.runfile import journaled
from fastvid.runfile.reader import RunFile
from fastvid.runfile.writer import RunWriter
from support.run_files import create, frame, store

SEGMENT = 4


def store_until_it_fails(writer: RunWriter, segments: int = 1000) -> int:
    """How many frames were acknowledged; the writer is closed."""
    stored = len(writer.stored)
    try:
        for start in range(stored, stored + segments * SEGMENT, SEGMENT):
            store(writer, start // SEGMENT, start, start + SEGMENT)
            stored = start + SEGMENT
    finally:
        writer.close()
    return stored


def check_goes_on(path: Path, least: int) -> None:
    """All that was acknowledged is there and right, and the file can be continued."""
    writer = RunWriter.continue_run(path, "none")
    count = len(writer.stored)
    assert writer.stored == set(range(count)) and count >= least
    store(writer, count // SEGMENT, count, count + SEGMENT)
    writer.close()
    with RunFile(path) as run:
        assert run.stored.all() and run.frame_count == count + SEGMENT
        assert all(np.array_equal(run.frame(index), frame(index)) for index in range(count))


class FailingDisk:
    """Counts the calls that change files; from a certain one on they fail, the first of them after
    half of its bytes. forever: all of them, else that one alone."""

    def __init__(
        self, fails_at: int, number: int, forever: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.calls = 0
        self._fails_at, self._number, self._forever = fails_at, number, forever
        self._pwrite, self._fsync, self._truncate = os.pwrite, os.fsync, os.ftruncate
        monkeypatch.setattr(os, "pwrite", self._write)
        monkeypatch.setattr(os, "fsync", lambda descriptor: self._sync(descriptor))
        monkeypatch.setattr(os, "ftruncate", self._cut)

    def _count(self) -> bool:
        """Whether this call is to fail."""
        self.calls += 1
        after = self._forever and self.calls > self._fails_at
        return self.calls == self._fails_at or after

    def _error(self) -> OSError:
        return OSError(self._number, os.strerror(self._number))

    def _write(self, descriptor: int, data: memoryview, offset: int) -> int:
        if self._count():
            half = len(data) // 2
            if self.calls == self._fails_at and half:
                self._pwrite(descriptor, data[:half], offset)
            raise self._error()
        return self._pwrite(descriptor, data, offset)

    def _sync(self, descriptor: int) -> None:
        if self._count():
            raise self._error()

    def _cut(self, descriptor: int, size: int) -> None:
        if self._count():
            raise self._error()
        self._truncate(descriptor, size)


@pytest.mark.parametrize(
    ("number", "forever"), [(errno.EDQUOT, False), (errno.EIO, False), (errno.ESTALE, True)]
)
def test_any_call_may_fail(
    number: int, forever: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journaled, "SYNC_INTERVAL_S", -1.0)
    for fails_at in range(1, 45):
        path = tmp_path / f"{fails_at}.h5"
        writer = create(path)
        store(writer, 0, 0, SEGMENT)
        stored = SEGMENT
        with monkeypatch.context() as patch:
            disk = FailingDisk(fails_at, number, forever, patch)
            with pytest.raises(StorageError, match=os.strerror(number)):
                for start in range(SEGMENT, 100 * SEGMENT, SEGMENT):
                    store(writer, start // SEGMENT, start, start + SEGMENT)
                    stored = start + SEGMENT
            calls = disk.calls
            for _ in range(2):
                writer.close()
            assert disk.calls == calls, "nothing more reaches the file"
        check_goes_on(path, stored)
        path.unlink()


def test_a_limit_of_the_file_size(tmp_path: Path) -> None:
    """ulimit -f."""
    path = tmp_path / "run.h5"
    writer = create(path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + (1 << 20), hard))
    try:
        with pytest.raises(StorageError, match="File too large"):
            store_until_it_fails(writer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    check_goes_on(path, 80)


@pytest.fixture
def breaking_disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 file system of its own that can be made to fail."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as stream:
        stream.truncate(32 << 20)
    folder.mkdir()
    for command in (
        ["mkfs.ext4", "-q", "-F", str(image)],
        ["mount", "-o", "loop,errors=remount-ro", str(image), str(folder)],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this user may not make and mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=False)


def test_a_file_system_that_becomes_read_only(breaking_disk: Path) -> None:
    """As the kernel does with one that it has found damaged, in the middle of a run."""
    path, image = breaking_disk / "run.h5", breaking_disk.parent / "image"
    source = subprocess.run(
        ["findmnt", "-no", "SOURCE", breaking_disk], check=True, capture_output=True, text=True
    )
    trigger = Path("/sys/fs/ext4") / Path(source.stdout.strip()).name / "trigger_fs_error"
    writer = create(path)
    for index in range(20):
        store(writer, index, SEGMENT * index, SEGMENT * (index + 1))
    writer.mark_encoded(0, 0)  # waits for the disk
    trigger.write_text("a test")
    with pytest.raises(StorageError, match="Read-only file system"):
        store_until_it_fails(writer)
    subprocess.run(["umount", breaking_disk], check=True)
    repaired = subprocess.run(["e2fsck", "-fy", image], check=False, capture_output=True)
    assert repaired.returncode in (0, 1), repaired
    subprocess.run(["mount", "-o", "loop", image, breaking_disk], check=True)
    check_goes_on(path, 20 * SEGMENT)
