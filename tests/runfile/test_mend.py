"""A run file of version 1, whose writer was killed in the middle of a flush: what HDF5 wrote,
without the new end of the file, or with an end that nothing was written to yet."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastvid.errors import InputError, StorageError
from fastvid.runfile import recover as recover_module
from fastvid.runfile.mend import END_AT, mend_end
from fastvid.runfile.reader import RunFile
from fastvid.runfile.writer import RunWriter
from support.run_files import HEIGHT, WIDTH, create, create_version_one, frame, record, store

SUPERBLOCK_BYTES = 96


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    """Frames 0 to 3 are acknowledged; 4 and 5 are in the index, behind the end of the file."""
    path, killed = tmp_path / "run.h5", tmp_path / "killed.h5"
    writer = create_version_one(path)
    store(writer, 0, 0, 4)
    superblock = path.read_bytes()[:SUPERBLOCK_BYTES]
    # As `RunWriter.store` goes about it, up to the flush that does not come to its end.
    unfinished = record(1, 4, 6)
    writer._store_times(unfinished)
    writer._store_frames(unfinished, [frame(4), frame(5)])
    shutil.copy(path, killed)
    writer.close()
    with killed.open("r+b") as stream:
        assert stream.read(SUPERBLOCK_BYTES) != superblock
        stream.seek(0)
        stream.write(superblock)
    return killed


def finish(path: Path) -> None:
    """Goes on: the later segment is stored first, as it happens between ranks."""
    writer = RunWriter.continue_run(path, "none")
    assert writer.stored == {0, 1, 2, 3}
    for index, start, stop in ((2, 6, 9), (1, 4, 6)):
        store(writer, index, start, stop)
    writer.close()


def all_right(path: Path) -> bool:
    with RunFile(path) as run:
        return all(np.array_equal(run.frame(index), frame(index)) for index in range(9))


def test_a_torn_file_goes_on(torn: Path) -> None:
    finish(torn)
    assert all_right(torn)


def test_mending_is_needed(torn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it this tear costs frames, else the test above would say nothing."""
    monkeypatch.setattr(recover_module, "mend_end", bool)
    try:
        finish(torn)
    except StorageError:
        return
    assert not all_right(torn)


@pytest.mark.parametrize("cut", [0, 1])
def test_a_file_that_ends_before_its_noted_end(cut: int, tmp_path: Path) -> None:
    """The room of a frame was given away and noted, and the frame did not come there any more."""
    path = tmp_path / "run.h5"
    writer = create_version_one(path)
    store(writer, 0, 0, 4)
    writer.close()
    size, end = path.stat().st_size, path.stat().st_size + HEIGHT * WIDTH * 3
    with path.open("r+b") as stream:
        stream.seek(END_AT)
        stream.write(end.to_bytes(8, "little"))
        # `cut`: a file that lacks bytes of a frame that counts is not whole.
        stream.truncate(size - cut * HEIGHT * WIDTH * 3)
    with pytest.raises(OSError, match="truncated"), h5py.File(path):
        pass
    if cut:
        with pytest.raises(InputError, match="not a usable run file"), RunFile(path):
            pass
        with pytest.raises(StorageError):
            RunWriter.continue_run(path, "none")
        return
    with RunFile(path) as run:
        assert run.stored.all() and np.array_equal(run.frame(3), frame(3))
    finish(path)
    assert all_right(path)


def test_a_file_has_no_name_before_it_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill while a run file is created leaves the old one, or none."""
    path = tmp_path / "run.h5"
    create(path).close()
    before = path.read_bytes()

    def killed(self: h5py.File) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(h5py.File, "flush", killed)
        with pytest.raises(KeyboardInterrupt):
            create(path)
    assert path.read_bytes() == before
    create(path).close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.h5"]


def test_a_whole_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    writer = create_version_one(path)
    store(writer, 0, 0, 4)
    writer.close()
    before = path.read_bytes()
    assert not mend_end(path) and path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", bytes(HEIGHT * WIDTH)])
def test_other_files_are_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    assert not mend_end(path) and path.read_bytes() == content
