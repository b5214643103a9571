"""Damaged and truncated files: nothing shifts, and what happened is said."""

from pathlib import Path

import av
import pytest

from fastvid.decode.film import open_source
from fastvid.decode.truncation import ends_early
from fastvid.errors import InputError
from support.decode_clips import numbered_clip, read_number, spoil

COUNT = 40
# Container, codec, pixel format: with and without time stamps of their own, inter and intra coded.
KINDS = [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mkv", "libx264", "yuv420p"),
    ("a.avi", "mjpeg", "yuvj420p"),
]


def clip(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> Path:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    return numbered_clip(
        tmp_path / name,
        COUNT,
        codec=codec,
        pix_fmt=pix_fmt,
        full_range=codec == "mjpeg",
        container_options=options,
    )


@pytest.mark.parametrize("name, codec, pix_fmt", KINDS)
@pytest.mark.parametrize("packet_number", [5, 13])
def test_a_damaged_packet_does_not_shift_the_others(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, packet_number: int
) -> None:
    path = clip(tmp_path, name, codec, pix_fmt)
    sound = [frame.pts for frame in open_source(str(path))]
    spoil(path, packet_number)
    source = open_source(str(path), on_error="keep-going")
    frames = list(source)
    seen = [read_number(frame.image) for frame in frames]
    # The packet holds this frame or a neighbour of it, and what refers to it may suffer.
    assert seen[: packet_number - 3] == list(range(packet_number - 3))
    assert seen[24:] == list(range(24, COUNT))
    assert len(seen) == COUNT and seen != list(range(COUNT))
    assert [frame.pts for frame in frames] == sound
    assert any("could not be decoded" in note and "repeated" in note for note in source.damage)


@pytest.mark.parametrize("name, codec, pix_fmt", KINDS)
def test_stopping_at_damage_says_what_could_be_decoded(
    tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    path = clip(tmp_path, name, codec, pix_fmt)
    spoil(path, 5)
    before: list[int] = []
    with pytest.raises(InputError) as caught:
        before.extend(read_number(frame.image) for frame in open_source(str(path)))
    assert before == list(range(len(before))) and 3 <= len(before) <= 7
    message = str(caught.value)
    for part in (
        f"frame {len(before)} ",
        f"{len(before)} frames before it",
        "--on-error keep-going",
        f"--frames 0:{len(before)}",
    ):
        assert part in message
    assert [read_number(f.image) for f in open_source(str(path), frames=(0, len(before)))] == before


@pytest.mark.parametrize("name, codec, pix_fmt", KINDS)
def test_a_damaged_first_frame_is_bridged_too(
    tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    path = clip(tmp_path, name, codec, pix_fmt)
    spoil(path, 0)
    seen = [read_number(f.image) for f in open_source(str(path), on_error="keep-going")]
    assert len(seen) == COUNT and seen[12:] == list(range(12, COUNT))
    assert seen[0] == next(number for number in seen if number)
    with pytest.raises(InputError, match=r"frame 0 .*it is the first one"):
        list(open_source(str(path)))


@pytest.mark.parametrize("name, codec, pix_fmt", KINDS)
def test_a_truncated_file(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    path = clip(tmp_path, name, codec, pix_fmt)
    sound = [frame.pts for frame in open_source(str(path))]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])
    with pytest.raises(InputError, match=r"cut short .* of 40 frames can be read") as caught:
        open_source(str(path))
    readable = int(str(caught.value).rsplit("--frames 0:", 1)[1].split()[0])
    assert 5 < readable < COUNT
    part = [read_number(f.image) for f in open_source(str(path), frames=(0, readable))]
    assert part == list(range(readable))
    source = open_source(str(path), on_error="keep-going")
    frames = list(source)
    assert [frame.pts for frame in frames] == sound
    seen = [read_number(frame.image) for frame in frames]
    assert seen[:readable] == part and seen[-1] == seen[-2] < COUNT - 1
    assert "cut short" in source.damage[-1]


def test_an_index_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "a.mp4", COUNT)
    content = path.read_bytes()
    for share in (0.5, 0.97):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match="cut short and what describes its frames"):
            open_source(str(path), on_error="keep-going")


def test_a_broadcast_that_starts_between_key_frames(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "a.ts", COUNT)
    with av.open(str(path)) as container:
        third = [p.pos for p in container.demux(video=0) if p.size][3]
    path.write_bytes(path.read_bytes()[third:])
    source = open_source(str(path))
    seen = [read_number(frame.image) for frame in source]
    assert seen == list(range(seen[0], COUNT)) and 3 < seen[0] <= 12
    assert any("before the first key frame" in note for note in source.info.notes)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_truncation_is_told_from_the_structure(tmp_path: Path, name: str) -> None:
    path = numbered_clip(tmp_path / name, 5, codec="mpeg4")
    assert not ends_early(str(path))
    content = path.read_bytes()
    for kept in (len(content) - 1, len(content) // 2):
        path.write_bytes(content[:kept])
        assert ends_early(str(path))
