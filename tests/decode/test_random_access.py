"""Frames read by themselves, in any order, are those that decoding from the beginning gives."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fastvid.decode.entry_points import EntryPoints
from fastvid.decode.random_access import SEEK_COST_FRAMES, FilmReader, checksum, entry_to_seek
from fastvid.errors import InputError
from support.decode_clips import join_clips, numbered_clip, numbered_picture, spoil, write_clip
from support.random_access import COUNT, check_all, entries_of, moving, reader_of, sequential

# Uneven steps in milliseconds, none a multiple of another frame's.
UNEVEN = [3 + 7 * i * i for i in range(COUNT)]
MILLISECONDS: dict[str, Any] = {"times": UNEVEN, "time_base": Fraction(1, 1000)}
X265 = "log-level=error:pools=1:frame-threads=1:keyint=10:min-keyint=10:scenecut=0:bframes=3"


# Name, codec and options of the clip; how many entry points it has.
CLIPS: dict[str, tuple[str, dict[str, object], int]] = {
    "B frames": ("a.mp4", {"options": {"g": "12", "bf": "2"}}, 4),
    "B pyramid, uneven times": (
        "a.mkv",
        {
            **MILLISECONDS,
            "options": {"g": "10", "bf": "5", "x264-params": "b-pyramid=normal:b-adapt=0"},
        },
        5,
    ),
    "one long group": ("a.mp4", {**MILLISECONDS, "options": {"g": "250", "bf": "3"}}, 1),
    "closed HEVC": (
        "a.mp4",
        {"codec": "libx265", "options": {"x265-params": X265 + ":open-gop=0"}},
        5,
    ),
    "open HEVC": ("a.mkv", {"codec": "libx265", "options": {"x265-params": X265}}, 5),
    "VP8, hidden frames": (
        "a.webm",
        {
            "codec": "libvpx",
            "options": {
                "auto-alt-ref": "1",
                "lag-in-frames": "16",
                "g": "12",
                "crf": "10",
                "b": "1M",
            },
        },
        4,
    ),
    "VP9, hidden frames": (
        "a.webm",
        {
            "codec": "libvpx-vp9",
            "options": {
                "auto-alt-ref": "1",
                "lag-in-frames": "16",
                "g": "12",
                "crf": "10",
                "b": "0",
            },
        },
        4,
    ),
    "AV1": (
        "a.mp4",
        {"codec": "libsvtav1", "options": {"g": "12", "preset": "12", "svtav1-params": "lp=1"}},
        4,
    ),
    "FFV1": ("a.mkv", {"codec": "ffv1", "options": {"g": "7"}}, 6),
    "intra only": ("a.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p", "full_range": True}, COUNT),
    "fragments": ("a.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}, 4),
    "no index": ("a.nut", {}, 4),
}


@pytest.fixture(params=CLIPS)
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int]:
    """A clip and the number of its entry points."""
    name, own, entries = CLIPS[request.param]
    options: dict[str, Any] = {"options": {"qp": "20"}, **own}
    if "codec" not in options:
        options["options"] = {"qp": "20", **options["options"]}
    return write_clip(tmp_path / name, moving(), **options), entries


def test_every_frame_is_the_same(clip: tuple[Path, int]) -> None:
    path, entries = clip
    assert len(entries_of(path)) == entries
    check_all(path)


def test_a_part_at_another_size(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving())
    check_all(path, frames=(7, 30), size=(50, -1))
    reader = reader_of(path, frames=(7, 30))
    for start, stop in ((22, 24), (-1, 2), (3, 3)):
        with pytest.raises(ValueError, match="there are no frames"):
            reader.read(start, stop)


def test_a_turned_picture(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "r.mp4", moving())
    plain = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    turned = np.array([0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30], ">i4").tobytes()
    content = path.read_bytes()
    start = content.index(b"tkhd")
    path.write_bytes(content[:start] + content[start:].replace(plain, turned, 1))
    assert sequential(path)[0].shape == (96, 64, 3)
    check_all(path)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_has_one_tone_curve(tmp_path: Path, transfer: int) -> None:
    path = write_clip(
        tmp_path / "h.mp4",
        moving(),
        codec="libx265",
        pix_fmt="yuv420p10le",
        matrix=9,
        tags=(9, transfer, 9),
        options={"x265-params": X265 + ":max-cll=600,200:hdr10=1"},
    )
    check_all(path)
    check_all(path, frames=(15, 38))


def test_a_folder_of_images(tmp_path: Path) -> None:
    for number in range(12):
        assert cv2.imwrite(str(tmp_path / f"f{number:03}.png"), numbered_picture(number))
    check_all(tmp_path, fps=Fraction(25))
    check_all(tmp_path, fps=Fraction(25), frames=(3, 11), size=(32, -1))


def test_damage_is_refused_and_the_rest_is_exact(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving())
    wanted = sequential(path)
    spoil(path, 16)
    reader = reader_of(path)
    assert np.array_equal(reader.read(2, 3)[0], wanted[2])
    with pytest.raises(InputError, match=r"a.mp4: frame 1\d can't be read by itself .*\n--decode"):
        reader.read(12, 24)
    assert np.array_equal(reader.read(30, 31)[0], wanted[30])


@pytest.mark.parametrize("change", ["truncated", "replaced", "gone"])
def test_a_change_of_the_file_is_noticed(tmp_path: Path, change: str) -> None:
    path = numbered_clip(tmp_path / "a.mp4", COUNT)
    reader = reader_of(path)
    reader.read(0, 2)
    if change == "truncated":
        with open(path, "r+b") as stream:
            stream.truncate(1000)
    elif change == "replaced":
        numbered_clip(tmp_path / "b.mp4", COUNT).rename(path)
    else:
        path.unlink()
    wanted = "can't be read any more" if change == "gone" else "was changed while"
    with pytest.raises(InputError, match=f"a.mp4: {wanted}"):
        reader.read(2, 4)


def test_a_changed_size_in_mid_stream_is_refused(tmp_path: Path) -> None:
    parts = [
        numbered_clip(tmp_path / "a.mkv", 8, codec="mjpeg", pix_fmt="yuvj420p"),
        write_clip(
            tmp_path / "b.mkv",
            [numbered_picture(i, 80, 48) for i in range(8)],
            codec="mjpeg",
            pix_fmt="yuvj420p",
        ),
    ]
    path = join_clips(tmp_path / "joined.mov", parts)
    reader = reader_of(path)
    reader.read(0, 8)
    with pytest.raises(InputError, match=r"frame 8 can't be read by itself .*80x48"):
        reader.read(8, 9)


def test_the_cheaper_of_reading_on_and_seeking() -> None:
    frames = np.array([0, 10, 20, 100])
    entries = EntryPoints(frames, frames, frames)
    near = SEEK_COST_FRAMES
    assert entry_to_seek(entries, None, 15) == 1  # nothing to read on from
    assert entry_to_seek(entries, 5, 5) is None
    assert entry_to_seek(entries, 16, 15) == 1  # it has gone by
    assert entry_to_seek(entries, 30, 99) is None  # no entry point in between
    assert entry_to_seek(entries, 20 - near, 25) is None
    assert entry_to_seek(entries, 20 - near - 1, 25) == 2
    assert entry_to_seek(entries, 3, 400) == 3


def test_a_segment_a_rank_decodes_no_more_than_it_must(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "a.mp4", 40, options={"g": "8", "bf": "0"})
    reader = reader_of(path)
    assert isinstance(reader, FilmReader)
    reader.read(0, 5)
    reader.read(4, 9)  # the halo is still there
    assert reader.pictures_decoded == 9
    reader.read(33, 37)  # from the entry point at 32
    assert reader.pictures_decoded == 9 + 5


def test_a_checksum_tells_images_apart() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    sums = {checksum(image), checksum(image[::-1]), checksum(image + np.uint8(1))}
    for place in ((0, 0, 0), (8, 12, 2), (4, 6, 1)):
        other = image.copy()
        other[place] ^= 1
        sums.add(checksum(other))
    assert len(sums) == 6
    assert all(np.array(one, np.int64) == one for one in sums)  # as it travels
