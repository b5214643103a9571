"""Where shots begin: found, read from a file, or nowhere."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.decode.cuts import (
    FRAMES_BEFORE,
    FRAMES_BEHIND,
    check_cuts,
    cuts_within,
    mark_cuts,
    read_cuts,
)
from fastvid.decode.frame import Frame
from fastvid.errors import InputError
from support import job_clips


def frames(images: list[np.ndarray]) -> Iterator[Frame]:
    return (Frame(i, image, i, 1) for i, image in enumerate(images))


def marked(images: list[np.ndarray], cuts: str) -> list[int]:
    """The first frames of the shots; every frame has to come out once, in order."""
    found = list(mark_cuts(frames(images), cuts))
    assert [frame.index for frame, _ in found] == list(range(len(images)))
    return [frame.index for frame, begins in found if begins]


def shots(*lengths: int) -> list[np.ndarray]:
    """Shots of these lengths; neighbours differ much in their light."""
    images = []
    for number, length in enumerate(lengths):
        for position in range(length):
            image = job_clips.scene(number, position).astype(np.int16) // 2 + 127 * (number % 2)
            images.append(image.clip(0, 255).astype(np.uint8))
    return images


def test_cuts_are_found() -> None:
    assert marked(shots(12, 9, 15), "auto") == [0, 12, 21]


@pytest.mark.parametrize(("width", "height"), [(1100, 640), (1366, 768), (1101, 641)])
def test_cuts_are_found_in_large_frames(width: int, height: int) -> None:
    """Reduced by factors that leave a rest."""
    images = [cv2.resize(image, (width, height)) for image in shots(12, 9, 15)]
    assert marked(images, "auto") == [0, 12, 21]
    assert marked(images[:12], "auto") == [0]


@pytest.mark.parametrize("length", [1, 2, 5, 9, 40])
def test_parts_of_a_film_have_the_cuts_of_the_whole(length: int) -> None:
    """Each is looked at with the frames around it, and no others."""
    film = [*frames(shots(12, 9, 15, 1, 8, 11))]
    whole = [frame.index for frame, begins in mark_cuts(film, "auto") if begins]
    assert len(whole) > 3
    found = []
    for start in range(0, len(film), length):
        stop = min(len(film), start + length)
        around = film[max(0, start - FRAMES_BEFORE) : stop + FRAMES_BEHIND]
        found += cuts_within(around, start, stop)
    assert found == whole


def test_motion_is_no_cut() -> None:
    assert marked(job_clips.uncut_scenes(), "auto") == [0]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_a_few_frames(count: int) -> None:
    """No frame is held back at the end."""
    assert marked(shots(count), "auto") == [0][:count]


def test_frames_are_not_held_back_for_long() -> None:
    """Memory is bounded: the detector looks two frames ahead."""
    read = 0

    def counting() -> Iterator[Frame]:
        nonlocal read
        for frame in frames(shots(30)):
            read = frame.index + 1
            yield frame

    for frame, _ in mark_cuts(counting(), "auto"):
        assert read <= frame.index + 3


def test_none_is_one_shot() -> None:
    assert marked(shots(5, 5), "none") == [0]


def test_cuts_from_a_file(tmp_path: Path) -> None:
    table = tmp_path / "cuts.csv"
    table.write_text("# first frames\n\n7\n 3 ,\r\n0\n3\n")
    assert read_cuts(table) == {0, 3, 7}
    assert marked(shots(10), str(table)) == [0, 3, 7]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"3\nseven\n", "line 2: 'seven'"),
        (b"-4\n", "line 1: '-4'"),
        (b"1.5\n", "line 1: '1.5'"),
        (b"1,2\n", "line 1: '1,2'"),
        (b"99999999999999\n", "line 1"),
        ("٣\n".encode(), "line 1"),
        (b"\xff\xfe\x00\x01", "not text"),
    ],
)
def test_nonsense_names_the_line(content: bytes, words: str, tmp_path: Path) -> None:
    table = tmp_path / "cuts.csv"
    table.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_cuts(table)
    assert str(table) in str(error.value) and words in str(error.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="--cuts takes auto, none, or a file"):
            read_cuts(path)
    huge = tmp_path / "huge.csv"
    with open(huge, "wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(InputError, match="larger than"):
        read_cuts(huge)


def test_cuts_beyond_the_end(tmp_path: Path) -> None:
    table = tmp_path / "cuts.csv"
    table.write_text("4\n10\n12\n")
    with pytest.raises(InputError, match="names frame 10, but the last frame is 9"):
        marked(shots(10), str(table))
    with pytest.raises(InputError, match="names frame 10, but the last frame is 9"):
        check_cuts(str(table), 10)
    check_cuts(str(table), 13)
    check_cuts("auto", 0)
