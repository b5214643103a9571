"""What a picture becomes: its colours, its size, upright, whole frames of interlaced ones."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.decode.film import VideoSource, open_source
from fastvid.decode.frame import ColorTags
from fastvid.encode.output import plan_output
from fastvid.errors import InputError
from support.decode_clips import (
    PATCHES,
    numbered_clip,
    numbered_picture,
    numbers,
    patches,
    read_all,
    write_clip,
)


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_colours_follow_the_tags(
    tmp_path: Path, matrix: int, full_range: bool, pix_fmt: str
) -> None:
    path = write_clip(
        tmp_path / "c.mkv",
        [patches()],
        codec="ffv1",
        pix_fmt=pix_fmt,
        matrix=matrix,
        full_range=full_range,
        tags=(1, 1, matrix),
    )
    source, frames = read_all(path)
    seen = frames[0].image[24, 4::8].astype(int)
    assert np.abs(seen - PATCHES).max() <= 1
    assert source.info.color == ColorTags(1, 1, matrix, full_range)


@pytest.mark.parametrize("height, matrix", [(576, 6), (720, 1)])
def test_untagged_colours_are_read_as_players_do(tmp_path: Path, height: int, matrix: int) -> None:
    path = write_clip(tmp_path / "c.mkv", [patches(64, height)], codec="ffv1", matrix=matrix)
    source, frames = read_all(path)
    assert np.abs(frames[0].image[24, 4::8].astype(int) - PATCHES).max() <= 1
    assert source.info.color.matrix == matrix


@pytest.mark.parametrize("pix_fmt", ["rgba", "gray", "monob"])
def test_alpha_grey_and_bits_become_rgb(tmp_path: Path, pix_fmt: str) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = 255
    path = tmp_path / "c.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        frame = av.VideoFrame.from_ndarray(image).reformat(format=pix_fmt)
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    source, frames = read_all(path)
    assert np.array_equal(frames[0].image[:, [5, 60]], image[:, [5, 60]])
    assert ("transparency is dropped" in source.info.notes) == (pix_fmt == "rgba")


@pytest.mark.parametrize("size, codec", [((67, 49), "ffv1"), ((33, 17), "mpeg4")])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int], codec: str) -> None:
    path = write_clip(tmp_path / "o.mkv", [numbered_picture(5, *size)] * 2, codec=codec)
    source, frames = read_all(path)
    assert frames[0].image.shape == (size[1], size[0], 3)
    assert (source.info.width, source.info.height) == size


QUARTERS = np.zeros((48, 64, 3), np.uint8)
QUARTERS[:24, :32], QUARTERS[:24, 32:] = (255, 0, 0), (0, 255, 0)
QUARTERS[24:, :32], QUARTERS[24:, 32:] = (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize(
    "matrix",
    [
        (1, 0, 0, 1),
        (0, 1, -1, 0),
        (-1, 0, 0, -1),
        (0, -1, 1, 0),
        (-1, 0, 0, 1),
        (1, 0, 0, -1),
        (0, 1, 1, 0),
        (0, -1, -1, 0),
    ],
)
def test_display_matrix_is_applied(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Oracle: each pixel (x, y), seen from the centre, goes to (a x + c y, b x + d y)."""
    path = write_clip(tmp_path / "r.mp4", [QUARTERS] * 2)
    a, b, c, d = matrix
    plain = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    turned = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    content = path.read_bytes()
    start = content.index(b"tkhd")
    path.write_bytes(content[:start] + content[start:].replace(plain, turned, 1))
    source, frames = read_all(path)
    image = frames[0].image
    height, width = image.shape[:2]
    assert (width, height) == ((48, 64) if a == 0 else (64, 48))
    for x in (-1, 1):
        for y in (-1, 1):
            seen = image[
                height // 2 + (b * x + d * y) * height // 4,
                width // 2 + (a * x + c * y) * width // 4,
            ]
            assert np.abs(seen.astype(int) - QUARTERS[24 + 12 * y, 32 + 16 * x]).max() <= 3
    assert bool(source.info.notes) == (matrix != (1, 0, 0, 1))


@pytest.mark.parametrize(
    "pix_fmt, note, full",
    [
        ("yuv420p", (), False),
        ("yuv422p10le", ("10 bits a sample are painted with 8",), False),
        ("yuv444p", (), True),
    ],
)
def test_what_is_lost_of_depth_and_colour_is_said(
    tmp_path: Path, pix_fmt: str, note: tuple[str, ...], full: bool
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        picture = av.VideoFrame.from_ndarray(patches(), format="rgb24").reformat(format=pix_fmt)
        output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    with open_source(str(path)) as film:
        assert film.info.notes == note and film.info.full_chroma == full
        assert ("more coarsely" in " ".join(plan_notes(tmp_path / "o.mp4", film))) == full
        assert plan_notes(tmp_path / "o.mkv", film, "ffv1") == ()
        assert "10 bits" in plan_notes(tmp_path / "o.mov", film, "prores")[-1]


def plan_notes(path: Path, film: VideoSource, codec: str | None = None) -> tuple[str, ...]:
    return plan_output(path, info=film.info, codec=codec).notes


def test_pixels_become_square(tmp_path: Path) -> None:
    wide = numbered_clip(tmp_path / "w.mp4", 3, pixel_aspect=Fraction(3, 2))
    tall = numbered_clip(tmp_path / "t.mp4", 3, pixel_aspect=Fraction(1, 2))
    for path, size in ((wide, (96, 48)), (tall, (64, 96))):
        source, frames = read_all(path)
        assert (source.info.width, source.info.height) == size
        assert numbers(frames) == [0, 1, 2]
        assert "not square" in source.info.notes[0]


@pytest.mark.parametrize(
    "size, result",
    [((32, 32), (32, 32)), ((128, -1), (128, 96)), ((-1, 24), (32, 24)), (None, (64, 48))],
)
def test_working_size(
    tmp_path: Path, size: tuple[int, int] | None, result: tuple[int, int]
) -> None:
    _, frames = read_all(numbered_clip(tmp_path / "s.mp4", 2), size=size)
    assert frames[0].image.shape == (result[1], result[0], 3)
    assert numbers(frames) == [0, 1]


@pytest.mark.parametrize("size", [(10, 40), (-1, -1), (0, 20), (100000, 20), (-1, 12), (-2, 64)])
def test_impossible_sizes_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="size"):
        open_source(str(numbered_clip(tmp_path / "s.mp4", 2)), size=size)


def combed(number: int) -> np.ndarray:
    """A bar that moves between the top field (even rows) and the bottom field of one frame."""
    image = np.full((48, 64, 3), 40, np.uint8)
    for field in (0, 1):
        left = (2 * number + field) * 3 % 48
        image[field::2, left : left + 12] = 220
    return image


def combing(image: np.ndarray) -> float:
    grey = image.mean(axis=2)
    return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())


def test_interlaced_frames_are_deinterlaced_one_for_one(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "i.ts",
        [combed(i) for i in range(12)],
        options={"x264-params": "tff=1:qp=0", "flags": "+ilme+ildct"},
    )
    source, frames = read_all(path)
    assert len(frames) == 12 and any("interlaced" in note for note in source.info.notes)
    assert [b.pts - a.pts for a, b in itertools.pairwise(frames)] == [3600] * 11
    assert combing(frames[5].image) < 0.1 * combing(combed(5))
    _, part = read_all(path, frames=(3, 7))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, frames[3:7], strict=True))
    assert [frame.pts for frame in part] == [frame.pts for frame in frames[3:7]]


def test_interlaced_frames_in_mid_stream(tmp_path: Path) -> None:
    """What is progressive before them stays; the picture numbers show that none is lost."""
    fields = {"x264-params": "tff=1:qp=0", "flags": "+ilme+ildct"}
    plain = numbered_clip(tmp_path / "a.h264", 4)
    laced = write_clip(
        tmp_path / "b.h264", [numbered_picture(i) for i in range(4, 9)], options=fields
    )
    (tmp_path / "c.h264").write_bytes(plain.read_bytes() + laced.read_bytes())
    source, frames = read_all(tmp_path / "c.h264")
    assert numbers(frames) == list(range(9))
    assert source.late_notes == ["interlaced from frame 4 on: made into whole frames (bwdif)"]


def test_progressive_frames_are_left_alone(tmp_path: Path) -> None:
    _, frames = read_all(write_clip(tmp_path / "p.mkv", [combed(3)], codec="ffv1"))
    assert combing(frames[0].image) == pytest.approx(combing(combed(3)), rel=0.05)
