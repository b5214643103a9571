"""Files are decoded to the pictures that went in, at their times, and never shifted."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.decode.film import VideoSource, fingerprint, open_source
from fastvid.decode.frame import ColorTags, Frame
from fastvid.encode.output import plan_output
from fastvid.errors import InputError
from support.decode_clips import (
    PATCHES,
    numbered_clip,
    numbered_picture,
    patches,
    read_number,
    write_clip,
)
from support.places import VIDEOS


def read_all(path: Path, **options: object) -> tuple[VideoSource, list[Frame]]:
    source = open_source(str(path), **options)  # type: ignore[arg-type]
    return source, list(source)


def numbers(frames: list[Frame]) -> list[int]:
    return [read_number(frame.image) for frame in frames]


@pytest.mark.parametrize(
    "name, codec, options",
    [
        ("a.mp4", "libx264", {}),
        ("a.mkv", "libx264", {}),
        ("a.ts", "libx264", {}),
        ("a.avi", "libx264", {}),
        ("a.h264", "libx264", {}),
        ("a.nut", "ffv1", {}),
        ("a.avi", "mpeg4", {"bf": "2", "qscale": "2"}),
        ("a.mpg", "mpeg2video", {"bf": "2"}),
        ("a.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "crf": "10", "b": "1M"}),
    ],
)
def test_every_frame_comes_once_and_in_order(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    """B frames, containers without time stamps and invisible reference frames included."""
    source, frames = read_all(numbered_clip(tmp_path / name, 30, codec=codec, options=options))
    assert numbers(frames) == list(range(30))
    assert [frame.index for frame in frames] == list(range(30))
    steps = {(b.pts - a.pts) * source.info.time_base for a, b in zip(frames, frames[1:])}
    assert steps == {Fraction(1, 25)}
    assert all(frame.duration * source.info.time_base == Fraction(1, 25) for frame in frames)
    assert source.info.frame_count_estimate == 30 and source.damage == []
    assert frames[0].image.dtype == np.uint8 and frames[0].image.flags.c_contiguous


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_variable_frame_rate_keeps_each_time_and_duration(tmp_path: Path, name: str) -> None:
    times = [3 + 7 * i * i for i in range(20)]
    path = numbered_clip(tmp_path / name, 20, times=times, time_base=Fraction(1, 1000))
    source, frames = read_all(path)
    assert numbers(frames) == list(range(20))
    assert [f.pts * source.info.time_base * 1000 for f in frames] == times
    ends = [(f.pts + f.duration) * source.info.time_base * 1000 for f in frames]
    assert ends[:-1] == times[1:]
    assert (source.first_pts, source.end_pts) == (
        frames[0].pts,
        frames[-1].pts + frames[-1].duration,
    )


def test_a_source_can_be_read_twice(tmp_path: Path) -> None:
    source, frames = read_all(numbered_clip(tmp_path / "a.mp4", 6))
    assert numbers(list(source)) == numbers(frames)


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
    source, frames = read_all(numbered_clip(tmp_path / "s.mp4", 2), size=size)
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
    assert [b.pts - a.pts for a, b in zip(frames, frames[1:])] == [3600] * 11
    assert combing(frames[5].image) < 0.1 * combing(combed(5))
    _, part = read_all(path, frames=(3, 7))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, frames[3:7]))
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


@pytest.mark.parametrize(
    "part, expected",
    [
        ((0, None), range(40)),
        ((5, 20), range(5, 20)),
        ((39, None), range(39, 40)),
        ((0, 40), range(40)),
    ],
)
def test_parts_are_half_open(tmp_path: Path, part: tuple[int, int | None], expected: range) -> None:
    source, frames = read_all(numbered_clip(tmp_path / "n.mp4", 40), frames=part)
    assert numbers(frames) == list(expected)
    assert [frame.index for frame in frames] == list(range(len(expected)))
    assert source.first_pts == 512 * expected[0] and source.end_pts == 512 * (expected[-1] + 1)
    assert source.frame_count == len(expected)


@pytest.mark.parametrize("part", [(40, None), (5, 41), (7, 7), (9, 3), (-1, 5)])
def test_parts_beyond_the_video_are_refused(tmp_path: Path, part: tuple[int, int | None]) -> None:
    path = numbered_clip(tmp_path / "n.mp4", 40)
    with pytest.raises(InputError, match="40 frames|0 <= A < B"):
        open_source(str(path), frames=part)


@pytest.mark.parametrize("claim", [0, 7, 4000])
def test_a_header_that_lies_about_its_frames_is_not_believed(tmp_path: Path, claim: int) -> None:
    path = numbered_clip(tmp_path / "l.avi", 20, codec="mjpeg", pix_fmt="yuvj420p", full_range=True)
    content = bytearray(path.read_bytes())
    main, stream = content.index(b"avih") + 8 + 16, content.index(b"strh") + 8 + 32
    assert int.from_bytes(content[main : main + 4], "little") == 20
    for place in (main, stream):
        content[place : place + 4] = claim.to_bytes(4, "little")
    path.write_bytes(content)
    source, frames = read_all(path)
    assert numbers(frames) == list(range(20))
    assert source.info.frame_count_estimate == 20


@pytest.mark.parametrize(
    "pix_fmt, note, full",
    [("yuv420p", (), False), ("yuv422p10le", ("10 bits a sample are painted with 8",), False)]
    + [("yuv444p", (), True)],
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


def test_a_change_of_the_pixels_shape_is_said(tmp_path: Path) -> None:
    content = b""
    for number, aspect in enumerate((Fraction(1), Fraction(4, 3))):
        path = numbered_clip(
            tmp_path / f"{number}.ts",
            10,
            codec="mpeg2video",
            times=list(range(10 * number, 10 * number + 10)),
            pixel_aspect=aspect,
        )
        content += path.read_bytes()
    (tmp_path / "joined.ts").write_bytes(content)
    with open_source(str(tmp_path / "joined.ts")) as film:
        assert len(list(film)) == 20 and "pixels have another shape" in film.late_notes[0]


def test_a_change_of_size_is_scaled_and_said(tmp_path: Path) -> None:
    path = tmp_path / "s.h264"
    parts = [
        numbered_clip(tmp_path / "a.h264", 4),
        write_clip(tmp_path / "b.h264", [numbered_picture(i, 96, 80) for i in range(4, 8)]),
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    source, frames = read_all(path)
    assert numbers(frames) == list(range(8))
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert "frame 4 has 96x80" in source.late_notes[0]


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"x" * 3_000_000)
    two.write_bytes(b"x" * 3_000_000)
    assert fingerprint(str(one)) == fingerprint(str(two))
    two.write_bytes(b"x" * 2_999_999 + b"y")
    assert fingerprint(str(one)) != fingerprint(str(two))
    before = fingerprint(str(tmp_path))
    two.rename(tmp_path / "three")
    assert fingerprint(str(tmp_path)) != before


@pytest.mark.parametrize(
    "name, count, size, rate",
    [
        ("bikes", 250, (640, 272), Fraction(25)),
        ("bigbuckbunny", 132, (1280, 720), Fraction(25)),
        ("scene_cuts", 250, (1280, 272), Fraction(25)),
        ("carphone_pristine", 120, (192, 144), Fraction(30000, 1001)),
    ],
)
def test_real_videos(name: str, count: int, size: tuple[int, int], rate: Fraction) -> None:
    path = VIDEOS / f"{name}.mp4"
    if not path.exists():
        pytest.skip("the shared videos are not here")
    source, frames = open_source(str(path)), 0
    for frame in source:
        assert frame.pts * source.info.time_base == Fraction(frames) / rate
        assert frame.image.shape == (size[1], size[0], 3)
        frames += 1
    assert frames == count and source.damage == [] and source.info.average_rate == rate
