"""Files are decoded to the pictures that went in, at their times, and never shifted."""

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.film import fingerprint, open_source
from fastvid.errors import InputError
from support.decode_clips import (
    numbered_clip,
    numbered_picture,
    numbers,
    read_all,
    write_clip,
)
from support.places import VIDEOS


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
    steps = {(b.pts - a.pts) * source.info.time_base for a, b in itertools.pairwise(frames)}
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
    with pytest.raises(InputError, match=r"40 frames|0 <= A < B"):
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
