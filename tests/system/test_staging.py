"""A film copied to a host's own disk: once, for all who read it there, and gone behind the last."""

import fcntl
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from fastvid.errors import InputError
from fastvid.system import staging
from fastvid.system.staging import staged
from support.launching import TIMEOUT_S

CONTENT = bytes(range(256)) * 40_000  # two blocks


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film" / "in.mp4"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


def test_a_copy_is_there_as_long_as_somebody_reads_it(film: Path, scratch: Path) -> None:
    with staged(film, scratch) as first:
        assert scratch in first.parents and first.name == film.name
        assert first.read_bytes() == CONTENT
        number = first.stat().st_ino
        with staged(film, scratch) as second:
            assert second == first and second.stat().st_ino == number
        assert first.exists()
    assert not list(scratch.iterdir()) and film.exists()


def test_readers_who_come_at_once_share_one_copy(film: Path, scratch: Path) -> None:
    copied: list[Path] = []
    together = threading.Barrier(8)

    def read(_: int) -> int:
        together.wait(TIMEOUT_S)
        with staged(film, scratch, lambda: None) as copy:
            copied.append(copy)
            number = copy.stat().st_ino
            together.wait(TIMEOUT_S)  # nobody leaves before all are there
            return number

    with ThreadPoolExecutor(8) as readers:
        assert len(set(readers.map(read, range(8)))) == 1
    assert len(copied) == 8 and not list(scratch.iterdir())


def test_who_wanted_to_copy_reads_beside_who_did(film: Path, scratch: Path) -> None:
    """Both came when there was no copy; who made it keeps the folder for as long as the job."""
    with staged(film, scratch) as copy:
        place = copy.parent
    place.mkdir(mode=0o700)
    waits, came = threading.Event(), threading.Event()

    def read() -> None:
        with staged(film, scratch, waits.set):
            came.set()

    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        reader = threading.Thread(target=read)
        reader.start()
        assert waits.wait(TIMEOUT_S)
        shutil.copy(film, scratch / "whole")
        (scratch / "whole").rename(place / film.name)
        found = came.wait(TIMEOUT_S / 6)
    reader.join()
    assert found


def test_readers_who_come_and_go(film: Path, scratch: Path) -> None:
    def read(_: int) -> bool:
        with staged(film, scratch) as copy:
            return copy.read_bytes() == CONTENT

    with ThreadPoolExecutor(6) as readers:
        assert all(readers.map(read, range(60)))
    assert not list(scratch.iterdir())


def test_a_folder_of_images(film: Path, scratch: Path) -> None:
    (film.parent / ".hidden").write_text("no image")
    (film.parent / "sub").mkdir()
    with staged(film.parent, scratch) as copy:
        assert [path.name for path in copy.iterdir()] == [film.name]
    assert not list(scratch.iterdir())


def test_without_a_folder_the_film_itself_is_read(film: Path) -> None:
    with staged(film, None) as place:
        assert place == film


def test_what_a_killed_run_has_left_is_used_and_removed(film: Path, scratch: Path) -> None:
    with staged(film, scratch) as copy:
        left = scratch / "left"
        shutil.copytree(copy.parent, left)
        place = copy.parent
    left.rename(place)
    number = (place / film.name).stat().st_ino
    with staged(film, scratch) as copy:
        assert copy.stat().st_ino == number
    (scratch / place.name).mkdir()
    (scratch / place.name / ".unfinished").write_bytes(b"half of it")
    with staged(film, scratch) as copy:
        assert copy.read_bytes() == CONTENT
    assert not list(scratch.iterdir())


def test_another_content_is_another_copy(film: Path, scratch: Path) -> None:
    with ExitStack() as stack:
        old = stack.enter_context(staged(film, scratch))
        film.write_bytes(b"another film")
        new = stack.enter_context(staged(film, scratch))
        assert old.read_bytes() == CONTENT and new.read_bytes() == b"another film"


def test_no_room_is_said_before_anything_is_copied(
    film: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "free_disk_bytes", lambda path: 1000)
    with pytest.raises(InputError, match=r"(?s)--stage-to .*free there.*leave it out"):
        staged(film, scratch).__enter__()
    assert not list(scratch.iterdir())


def test_no_folder_and_no_film(film: Path, scratch: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        staged(film, scratch / "missing").__enter__()
    with pytest.raises(InputError, match="No such file"):
        staged(film.with_name("gone.mp4"), scratch).__enter__()


def test_a_film_that_changes_meanwhile_is_refused(film: Path, scratch: Path) -> None:
    def grow() -> None:
        with open(film, "ab") as stream:
            stream.write(b"more")

    with pytest.raises(InputError, match="has changed"):
        staged(film, scratch, grow).__enter__()
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("way", ["a link", "writable for all"])
def test_a_folder_of_others_is_not_read(film: Path, scratch: Path, way: str) -> None:
    """Its name can be guessed: who knows the film could put another one in its place."""
    with staged(film, scratch) as copy:
        place = copy.parent
    elsewhere = scratch / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / film.name).write_bytes(b"another film")
    if way == "a link":
        place.symlink_to(elsewhere)
    else:
        elsewhere.rename(place)
        place.chmod(0o777)
    with pytest.raises(InputError, match="not this user's alone"), staged(film, scratch):
        pass
    assert (place / film.name).read_bytes() == b"another film"
