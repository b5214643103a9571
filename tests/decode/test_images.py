"""A folder of numbered images is a film whose times are exact."""

import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.decode.film import open_source
from fastvid.decode.frame import Frame
from fastvid.decode.random_access import open_reader
from fastvid.errors import InputError
from support.decode_clips import PATCHES, numbered_picture, patches, read_number

FPS = Fraction(30000, 1001)


def save(path: Path, rgb: np.ndarray) -> None:
    assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))


def folder(tmp_path: Path, numbers: range, name: str = "f_{}.png") -> Path:
    for number in numbers:
        save(tmp_path / name.format(number), numbered_picture(number))
    return tmp_path


def test_order_is_by_number_and_times_are_exact(tmp_path: Path) -> None:
    """Numbers without leading zeros, where the order of names is another one."""
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden_99.png").write_bytes(b"")
    source = open_source(str(folder(tmp_path, range(7, 13))), fps=FPS)
    frames = list(source)
    assert [read_number(frame.image) for frame in frames] == [7, 8, 9, 10, 11, 12]
    assert [frame.pts * source.info.time_base for frame in frames] == [i / FPS for i in range(6)]
    assert source.info.average_rate == FPS and source.stream_index is None
    assert frames[0].image.flags.c_contiguous and source.frame_count == 6


def test_parts_keep_their_times(tmp_path: Path) -> None:
    source = open_source(str(folder(tmp_path, range(10))), fps=FPS, frames=(3, 6))
    frames = list(source)
    assert [(f.index, f.pts, read_number(f.image)) for f in frames] == [
        (0, 3, 3),
        (1, 4, 4),
        (2, 5, 5),
    ]
    assert (source.first_pts, source.end_pts) == (3, 6)
    with pytest.raises(InputError, match="has 10 frames"):
        open_source(str(tmp_path), fps=FPS, frames=(3, 11))


@pytest.mark.parametrize(
    "suffix, tolerance", [("png", 0), ("bmp", 0), ("tiff", 0), ("ppm", 0), ("jpg", 6), ("webp", 6)]
)
def test_formats_keep_their_colours(tmp_path: Path, suffix: str, tolerance: int) -> None:
    quality = {"jpg": [cv2.IMWRITE_JPEG_QUALITY, 100], "webp": [cv2.IMWRITE_WEBP_QUALITY, 101]}
    assert cv2.imwrite(
        str(tmp_path / f"1.{suffix}"),
        np.ascontiguousarray(patches(128, 96)[..., ::-1]),
        quality.get(suffix, []),
    )
    (frame,) = open_source(str(tmp_path), fps=FPS)
    assert np.abs(frame.image[48, 8::16].astype(int) - PATCHES).max() <= tolerance


def test_sixteen_bit_and_grey_images(tmp_path: Path) -> None:
    deep = patches()[..., ::-1].astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / "1.png"), deep)
    assert cv2.imwrite(str(tmp_path / "2.png"), np.full((48, 64), 77, np.uint8))
    first, second = open_source(str(tmp_path), fps=FPS)
    assert np.abs(first.image.astype(int) - patches()).max() <= 1
    assert (second.image == 77).all()


def orient(path: Path, orientation: int) -> None:
    """Writes an EXIF orientation into a JPEG file."""
    content = path.read_bytes()
    entry = struct.pack("<HHHIHHI", 1, 0x112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    path.write_bytes(content[:2] + segment + content[2:])


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photographs_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    """The EXIF orientations that cameras write; OpenCV's reader is the oracle."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[24:, 32:] = (255, 0, 0), (0, 0, 255)
    save(tmp_path / "1.jpg", picture)
    orient(tmp_path / "1.jpg", orientation)
    (frame,) = open_source(str(tmp_path), fps=FPS)
    expected = cv2.imread(str(tmp_path / "1.jpg"), cv2.IMREAD_COLOR)
    assert expected is not None and frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected[..., ::-1]).mean() < 2


def test_each_photograph_is_turned_by_itself(tmp_path: Path) -> None:
    upright = numbered_picture(5)
    for number, (orientation, turns) in enumerate(((1, 0), (3, 2), (6, 1))):
        save(tmp_path / f"{number}.jpg", np.ascontiguousarray(np.rot90(upright, turns)))
        orient(tmp_path / f"{number}.jpg", orientation)
    with open_source(str(tmp_path), fps=FPS) as film:
        images = [frame.image for frame in film]
        assert "1.jpg: rotated by 180 degrees, unlike the first image" in film.late_notes[0]
        again = open_reader(film.index()).read(0, 3)
    for image, other in zip(images, again, strict=True):
        assert np.abs(image.astype(int) - upright).mean() < 3
        np.testing.assert_array_equal(image, other)


def test_a_photograph_that_stands_on_its_side_is_named(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.jpg", numbered_picture(number))
    orient(tmp_path / "1.jpg", 6)
    with pytest.raises(InputError, match=r"1.jpg: has 64x48 pixels \(rotated by 90 degrees\)"):
        list(open_source(str(tmp_path), fps=FPS))


def test_transparency_is_said(tmp_path: Path) -> None:
    save(tmp_path / "0.png", numbered_picture(0))
    see_through = np.dstack([numbered_picture(1), np.zeros((48, 64), np.uint8)])
    assert cv2.imwrite(str(tmp_path / "1.png"), see_through)
    with open_source(str(tmp_path), fps=FPS) as film:
        assert len(list(film)) == 2 and "1.png: transparency is dropped" in film.late_notes[0]
    (tmp_path / "0.png").unlink()
    with open_source(str(tmp_path), fps=FPS) as film:
        assert film.info.notes == ("transparency is dropped",)


def test_working_size(tmp_path: Path) -> None:
    (frame,) = open_source(str(folder(tmp_path, range(1))), fps=FPS, size=(32, -1))
    assert frame.image.shape == (24, 32, 3)


def test_gaps_are_named(tmp_path: Path) -> None:
    folder(tmp_path, range(4))
    folder(tmp_path, range(6, 8))
    folder(tmp_path, range(20, 22))
    with pytest.raises(InputError, match=r"number 4, 5, 8, 9, 10 and 9 more of 0 to 21"):
        open_source(str(tmp_path), fps=FPS)


def test_folders_that_are_no_film(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder without images"):
        open_source(str(tmp_path), fps=FPS)
    folder(tmp_path, range(2))
    with pytest.raises(InputError, match="--fps 25"):
        open_source(str(tmp_path))
    with pytest.raises(InputError, match="--fps 0"):
        open_source(str(tmp_path), fps=Fraction(0))
    save(tmp_path / "g_1.png", numbered_picture(1))
    with pytest.raises(InputError, match=r"f_1.png and g_1.png have the same number 1"):
        open_source(str(tmp_path), fps=FPS)
    (tmp_path / "g_1.png").rename(tmp_path / "cover.png")
    with pytest.raises(InputError, match=r"cover.png: has no number"):
        open_source(str(tmp_path), fps=FPS)


def test_the_first_image_of_another_size_is_named(tmp_path: Path) -> None:
    folder(tmp_path, range(5))
    for number in (2, 4):
        save(tmp_path / f"f_{number}.png", numbered_picture(number, 80, 48))
    frames: list[Frame] = []
    with pytest.raises(InputError, match=r"f_2.png: has 80x48 pixels, the first image has 64x48"):
        frames.extend(open_source(str(tmp_path), fps=FPS))
    assert len(frames) == 2


def test_broken_images(tmp_path: Path) -> None:
    folder(tmp_path, range(5))
    for number, content in ((0, b"nonsense"), (3, (tmp_path / "f_3.png").read_bytes()[:60])):
        (tmp_path / f"f_{number}.png").write_bytes(content)
    with pytest.raises(InputError, match=r"f_0.png"):
        list(open_source(str(tmp_path), fps=FPS))
    source = open_source(str(tmp_path), fps=FPS, on_error="keep-going")
    assert [read_number(frame.image) for frame in source] == [1, 1, 2, 2, 4]
    assert len(source.damage) == 2 and "f_3.png" in source.damage[1]


def test_a_still_image_with_a_rate_is_told_what_it_is(tmp_path: Path) -> None:
    """It has no times that the rate would be another for."""
    cv2.imwrite(str(tmp_path / "still.png"), np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(InputError, match="still image") as refused:
        open_source(str(tmp_path / "still.png"), fps=FPS)
    assert "own times" not in str(refused.value)
