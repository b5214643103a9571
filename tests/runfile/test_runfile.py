"""The run file: any HDF5 library reads it, a kill or a full disk does not harm it, and whatever
somebody else made of it is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastvid.errors import InputError, StorageError
from fastvid.runfile import layout
from fastvid.runfile.reader import RunFile
from fastvid.runfile.writer import RunWriter
from support.run_files import HEIGHT, WIDTH, create, frame, record, store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_plain_hdf5_reads_it(path: Path, compression: str) -> None:
    """Stored out of order, as the ranks finish; two shots, the second of one frame."""
    writer = create(path, ("flow", "occlusion"), compression)
    flows = [np.full((HEIGHT, WIDTH, 2), i, np.float32) for i in range(4)]
    occlusions = [np.full((HEIGHT, WIDTH), i % 2, np.uint8) for i in range(4)]
    writer.store(record(2, 5, 6, shot=1, shot_start=5), [frame(5)], flows[:1], occlusions[:1])
    writer.store(record(0, 0, 4), [frame(i) for i in range(4)], flows, occlusions)
    writer.store(record(1, 4, 5), [frame(4)], flows[:1], occlusions[:1])
    writer.set_attributes({"complete": True})
    writer.close()
    with h5py.File(path) as file:
        stylized = file["frames/stylized"]
        assert stylized.shape == (6, HEIGHT, WIDTH, 3) and stylized.dtype == np.uint8
        assert stylized.chunks == (1, HEIGHT, WIDTH, 3)
        assert all(np.array_equal(stylized[i], frame(i)) for i in range(6))
        assert file["frames/pts"][:].tolist() == [0, 40, 80, 120, 160, 200]
        assert file["frames/duration"][:].tolist() == [40] * 6
        assert file["frames/stored"][:].tolist() == [1] * 6
        assert file["flow/backward"][2, 0, 0].tolist() == [2.0, 2.0]
        assert file["occlusion"][3].min() == 1 and file["occlusion"][2].max() == 0
        assert file["shots"][:].tolist() == [(0, 5), (5, 6)]
        rows = file["segments"][:]
        assert rows["start"].tolist() == [0, 4, 5] and rows["stop"].tolist() == [4, 5, 6]
        assert set(rows["rank"]) == {3} and set(rows["host"]) == {b"node7"}
        assert set(rows["paint_seconds"]) == {0.5}
        assert file.attrs["format"] in ("fastvid run file", b"fastvid run file")
        assert file.attrs["complete"]
        for name in ("frames/stylized", "frames/pts", "shots", "segments", "occlusion"):
            assert len(file[name].attrs["description"]) > 20


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_frame_just_written_can_be_read_back(path: Path, compression: str) -> None:
    """Segments are encoded from the file if they could not be handed on; HDF5 has a memory of its
    own for the chunk that was written last."""
    writer = create(path, compression=compression)
    for index, (start, stop) in enumerate([(4, 6), (0, 1), (1, 4)]):
        store(writer, index, start, stop)
        for number in (stop - 1, start):
            assert np.array_equal(writer.read_frame(number), frame(number))
    writer.free(0, 1)
    assert not writer.read_frame(0).any()
    assert np.array_equal(writer.read_frame(5), frame(5))
    writer.close()


def test_the_reader_gives_back_what_was_stored(path: Path) -> None:
    writer = create(path)
    store(writer, 1, 3, 5)
    writer.close()
    with RunFile(path) as run:
        assert not run.complete and run.frame_count == 5 and (run.height, run.width) == (24, 32)
        assert run.stored.tolist() == [False] * 3 + [True] * 2
        assert np.array_equal(run.frame(4), frame(4))
        assert run.settings == {"flow": "dis-medium"}
        for index in (2, 5, -1):
            with pytest.raises(InputError, match=f"does not hold frame {index}"):
                run.frame(index)


def test_a_run_is_continued(path: Path) -> None:
    writer = create(path)
    store(writer, 0, 0, 2)
    writer.close()
    writer = RunWriter.continue_run(path, "none")
    assert writer.stored == {0, 1} and writer.has(0, 2) and not writer.has(1, 3)
    assert np.array_equal(writer.read_frame(1), frame(1)) and writer.read_time(1) == (40, 40)
    store(writer, 1, 2, 3)
    writer.close()
    with RunFile(path) as run:
        assert run.shots() == [(0, 3)]
        assert all(np.array_equal(run.frame(i), frame(i)) for i in range(3))


def test_a_copy_at_any_moment_holds_what_was_stored(path: Path, tmp_path: Path) -> None:
    """What a kill leaves behind is what the file is at that moment."""
    writer = create(path)
    for index in range(6):
        copy = tmp_path / f"copy{index}.h5"
        shutil.copy(path, copy)
        with RunFile(copy) as run:
            assert np.flatnonzero(run.stored).tolist() == list(range(2 * index))
            assert all(np.array_equal(run.frame(i), frame(i)) for i in range(2 * index))
        store(writer, index, 2 * index, 2 * index + 2)
    writer.close()


def test_freed_frames_give_their_room_back(path: Path) -> None:
    """Segments that are discarded as soon as they are stored take hardly more room, however many
    there are."""
    writer = create(path)
    sizes = []
    for index in range(120):
        store(writer, index, 4 * index, 4 * index + 4)
        writer.mark_encoded(4 * index, 4 * index + 4)
        writer.free(max(0, 4 * index - 1), 4 * index + 3)
        sizes.append(path.stat().st_size)
    writer.close()
    assert sizes[119] - sizes[19] < 400 * HEIGHT * WIDTH * 3 / 10
    with RunFile(path) as run:
        assert run.stored.all() and run.encoded.all()
        with pytest.raises(InputError, match="--discard-frames"):
            run.frame(0)


def good_file(path: Path) -> Path:
    writer = create(path)
    store(writer, 0, 0, 3)
    writer.close()
    return path


def _replace(name: str, make: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]
            make(file)

    return change


def _external_link(file: h5py.File) -> None:
    file["frames/stylized"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft_link(file: h5py.File) -> None:
    file["frames/pts"] = h5py.SoftLink("/frames/duration")


def _virtual(file: h5py.File) -> None:
    shape = (3, HEIGHT, WIDTH, 3)
    virtual = h5py.VirtualLayout(shape, np.uint8)
    virtual[:] = h5py.VirtualSource("other.h5", "data", shape)
    file.create_virtual_dataset("frames/stylized", virtual)


def _external_storage(file: h5py.File) -> None:
    file.create_dataset(
        "frames/stored", shape=(3,), dtype="u1", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    )


def _foreign_frames(shape: tuple[int, ...], dtype: str) -> Callable[[h5py.File], None]:
    def make(file: h5py.File) -> None:
        file.create_dataset("frames/stylized", shape=shape, dtype=dtype, chunks=(1, *shape[1:]))

    return make


def _attribute(name: str, value: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file.attrs[name] = value

    return change


def _truncate(path: Path) -> None:
    with open(path, "r+b") as stream:
        stream.truncate(path.stat().st_size // 2)


def _text(path: Path) -> None:
    path.write_text("these are not the frames\n" * 100)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change",
    [
        _text,
        _truncate,
        _folder,
        Path.unlink,
        _attribute("format", "another program"),
        _attribute("format_version", 99),
        _attribute("format_version", "new"),
        _attribute("time_base", [0, 0]),
        _attribute("time_base", [-1, 25]),
        _attribute("average_rate", "fast"),
        _replace("frames/stylized", lambda file: None),
        _replace("frames", lambda file: None),
        _replace("segments", lambda file: None),
        _replace("frames/stylized", _external_link),
        _replace("frames/pts", _soft_link),
        _replace("frames/stylized", _virtual),
        _replace("frames/stored", _external_storage),
        _replace("frames/stylized", _foreign_frames((3, HEIGHT, WIDTH, 4), "u1")),
        _replace("frames/stylized", _foreign_frames((3, HEIGHT, WIDTH, 3), "f4")),
        _replace("frames/stylized", _foreign_frames((3, HEIGHT, WIDTH), "u1")),
        _replace(
            "frames/stylized",
            lambda file: file.create_dataset(
                "frames/stylized", data=np.zeros((3, HEIGHT, WIDTH, 3), np.uint8)
            ),
        ),
        _replace(
            "frames/stored",
            lambda file: file.create_dataset(
                "frames/stored", shape=(10**12,), dtype="u1", chunks=(1024,)
            ),
        ),
        _replace("frames/stored", lambda file: file.create_group("frames/stored")),
        _replace("shots", lambda file: file.create_dataset("shots", data=np.zeros((2, 2)))),
    ],
)
def test_damaged_and_hostile_files_are_refused(change: Callable[[Path], None], path: Path) -> None:
    good_file(path)
    with RunFile(path) as run:
        assert run.frame_count == 3
    change(path)
    with pytest.raises(InputError) as error:
        _ = RunFile(path).settings
    assert str(path) in str(error.value) and len(str(error.value).splitlines()) <= 3


@pytest.mark.parametrize("settings", ["{", "[1, 2]", ""])
def test_settings_that_are_none(settings: str, path: Path) -> None:
    _attribute("settings", settings)(good_file(path))
    with RunFile(path) as run, pytest.raises(InputError, match="settings"):
        _ = run.settings


def test_a_damaged_frame_is_an_error_not_a_picture(path: Path) -> None:
    writer = create(path, compression="gzip")
    store(writer, 0, 0, 2)
    writer.close()
    with h5py.File(path) as file:
        chunk = file[layout.FRAMES].id.get_chunk_info(1)
    with open(path, "r+b") as stream:
        stream.seek(chunk.byte_offset)
        stream.write(b"\xff" * 64)
    with RunFile(path) as run:
        assert np.array_equal(run.frame(0), frame(0))
        with pytest.raises(InputError, match="frame 1 can't be read"):
            run.frame(1)


def test_a_writer_taken_for_dead_writes_no_more(path: Path) -> None:
    """Suspended for long, and its file continued elsewhere meanwhile."""
    first = create(path)
    store(first, 0, 0, 4)
    second = RunWriter.continue_run(path, "none")
    store(second, 1, 4, 8)
    with pytest.raises(StorageError, match="another run has taken it over"):
        store(first, 2, 8, 12)
    first.close()
    store(second, 2, 8, 12)
    second.close()
    with RunFile(path) as run:
        assert all(np.array_equal(run.frame(i), frame(i)) for i in range(12))
