"""Files whose times, or whose first pictures, are not what they seem: nothing is lost of them."""

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.stream import VideoStream

from fastvid.decode.film import open_source
from support.decode_clips import numbered_clip, read_number

COUNT = 20
B_FRAMES = {"qp": "10", "bf": "2", "x264-params": "b-adapt=0:scenecut=0"}
START_CODE = b"\0\0\1\xb6"  # of an MPEG-4 picture


def recorded(path: Path) -> tuple[list[int], list[Fraction], tuple[str, ...], list[str]]:
    """The numbers in the pictures, when they are shown, the notes and the damage."""
    with open_source(str(path)) as film:
        frames = list(film)
        unit = film.info.time_base
        return (
            [read_number(frame.image) for frame in frames],
            [(frame.pts - frames[0].pts) * unit for frame in frames],
            film.info.notes,
            film.late_notes + film.damage,
        )


def copied(
    path: Path,
    source: Path,
    change: Callable[[int, "av.Packet[VideoStream]"], bool],
    **options: str,
) -> Path:
    """The packets of a clip in another file, as far as `change`, which gets each with its number,
    says so."""
    with (
        av.open(str(source)) as read,
        av.open(str(path), "w", container_options=options) as output,
    ):
        stream = output.add_stream_from_template(read.streams.video[0])
        stream.time_base = Fraction(1, 25)
        packets = [packet for packet in read.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            if change(number, packet):
                packet.stream = stream
                output.mux(packet)
    return path


def in_decoding_order(first: int) -> Callable[[int, "av.Packet[VideoStream]"], bool]:
    """Gives the packets times that grow from one to the next."""

    def change(number: int, packet: "av.Packet[VideoStream]") -> bool:
        packet.time_base = Fraction(1, 25)
        packet.pts = packet.dts = number + first
        packet.duration = 1
        return True

    return change


@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv"])
@pytest.mark.parametrize("first", [0, -2])
def test_times_in_decoding_order_lose_no_picture(tmp_path: Path, ending: str, first: int) -> None:
    """As AVI has them, and what was made of a bare stream by copying. In MP4 a start before 0
    becomes an edit that hides the first two, by times that are not theirs; in Matroska they have
    none."""
    clip = numbered_clip(tmp_path / "clip.ts", COUNT, options=B_FRAMES)
    path = copied(
        tmp_path / f"a.{ending}", clip, in_decoding_order(first), avoid_negative_ts="disabled"
    )
    numbers, times, notes, wrong = recorded(path)
    assert numbers == list(range(COUNT))
    assert times == [Fraction(number, 25) for number in range(COUNT)] and wrong == []
    assert (ending, first) == ("mkv", -2) or "follow the decoding order" in notes[0]


def test_packed_pictures_of_avi_are_all_shown(tmp_path: Path) -> None:
    """A B-picture in the packet of the one that it needs, and an empty packet in its place."""
    clip = numbered_clip(tmp_path / "plain.avi", COUNT, codec="mpeg4", options={"bf": "1"})
    with av.open(str(clip)) as read, av.open(str(tmp_path / "packed.avi"), "w") as output:
        stream = output.add_stream_from_template(read.streams.video[0])
        pictures = [bytes(packet) for packet in read.demux(video=0) if packet.size]
        chunks: list[bytes] = []
        while pictures:
            chunk = pictures.pop(0)
            if pictures and _kind(chunk) != 2 and _kind(pictures[0]) == 2:
                later = pictures.pop(0)
                chunks += [chunk + later[later.find(START_CODE) :], b"\x7f"]
            else:
                chunks.append(chunk)
        assert b"\x7f" in chunks
        # By this name of the writer the decoder knows that its pictures may be packed.
        chunks[0] = re.sub(rb"Lavc[0-9.]{9}", b"DivX503b1393p", chunks[0])
        for number, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = len(chunk) > 1 and _kind(chunk) == 0
            output.mux(packet)
    numbers, times, _, wrong = recorded(tmp_path / "packed.avi")
    assert numbers == list(range(COUNT)) and wrong == []
    assert times == [Fraction(number, 25) for number in range(COUNT)]


def test_pictures_that_are_not_coded_show_the_last_one_again(tmp_path: Path) -> None:
    """MPEG-4 has them for a still moment (vop_coded 0); each has its own time."""
    clip = numbered_clip(tmp_path / "plain.avi", 4, codec="mpeg4", options={"bf": "0"})
    not_coded = START_CODE + b"\x50\x40"  # a P-picture that says no more
    with av.open(str(clip)) as read, av.open(str(tmp_path / "still.avi"), "w") as output:
        stream = output.add_stream_from_template(read.streams.video[0])
        pictures = [bytes(packet) for packet in read.demux(video=0) if packet.size]
        for number, picture in enumerate([*pictures[:2], not_coded, *pictures[2:]]):
            packet = av.Packet(picture)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = number == 0
            output.mux(packet)
    numbers, times, _, _ = recorded(tmp_path / "still.avi")
    assert numbers == [0, 1, 1, 2, 3]
    assert times == [Fraction(number, 25) for number in range(5)]


def _kind(picture: bytes) -> int:
    return picture[picture.find(START_CODE) + 4] >> 6


def test_a_cut_without_encoding_shows_what_is_behind_the_cut(tmp_path: Path) -> None:
    """What is before the cut is there, marked to be decoded only; the key frame among it."""
    clip = numbered_clip(tmp_path / "clip.mp4", COUNT, options=B_FRAMES)

    def cut(number: int, packet: "av.Packet[VideoStream]") -> bool:
        assert packet.pts is not None and packet.dts is not None and packet.time_base is not None
        shift = round(Fraction(6, 25) / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return True

    path = copied(tmp_path / "cut.mp4", clip, cut, avoid_negative_ts="disabled")
    with av.open(str(path)) as container:
        assert any(packet.is_discard for packet in container.demux(video=0))
    numbers, _, notes, wrong = recorded(path)
    assert numbers == list(range(6, COUNT)) and notes == () and wrong == []


def cut_at_second_key_frame(folder: Path, clip: Path) -> tuple[Path, int, int]:
    """The clip from there on; how many pictures that are, and how many are shown before it."""
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    second = next(n for n, packet in enumerate(packets) if packet.is_keyframe and n)
    times = [packet.pts or 0 for packet in packets[second:]]
    path = copied(folder / f"cut{clip.suffix}", clip, lambda number, _: number >= second)
    return path, len(times), sum(time < times[0] for time in times)


@pytest.mark.parametrize("kept", [True, False])
def test_leading_pictures_of_hevc_are_kept_if_they_need_nothing(tmp_path: Path, kept: bool) -> None:
    """RADL and RASL pictures of H.265, 3.1."""
    options = "log-level=none:keyint=10:min-keyint=10:bframes=2"
    options += ":open-gop=0:b-adapt=0:scenecut=0:radl=2" if kept else ":open-gop=1"
    clip = numbered_clip(
        tmp_path / "clip.mkv", COUNT, codec="libx265", options={"x265-params": options}
    )
    path, count, leading = cut_at_second_key_frame(tmp_path, clip)
    numbers, _, notes, wrong = recorded(path)
    assert leading and wrong == []
    left = count if kept else count - leading
    assert numbers == list(range(COUNT - left, COUNT)) and (notes == ()) == kept


@pytest.mark.parametrize("closed", [True, False])
def test_leading_pictures_of_mpeg2_are_kept_in_a_closed_group(tmp_path: Path, closed: bool) -> None:
    clip = numbered_clip(
        tmp_path / "clip.mpg",
        COUNT,
        codec="mpeg2video",
        options={"g": "10", "bf": "2", "sc_threshold": "1000000000"},
    )
    path, count, leading = cut_at_second_key_frame(tmp_path, clip)
    content = bytearray(path.read_bytes())
    group = content.find(b"\0\0\1\xb8")
    content[group + 7] |= 0x40 if closed else 0  # closed_gop, ISO/IEC 13818-2, 6.2.2.6
    path.write_bytes(content)
    with open_source(str(path)) as film:
        assert leading and len(list(film)) == (count if closed else count - leading)
        assert (film.info.notes == ()) == closed and film.damage == []


def test_doubled_times_are_spread_evenly(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "clip.mp4", COUNT, options={"bf": "0"})

    def double(number: int, packet: "av.Packet[VideoStream]") -> bool:
        packet.time_base, packet.duration = Fraction(1, 1000), 80
        packet.pts = packet.dts = number // 2 * 80
        return True

    path = copied(tmp_path / "a.mkv", clip, double)
    numbers, times, notes, _ = recorded(path)
    assert numbers == list(range(COUNT)) and "same time stamp" in notes[0]
    assert times == [Fraction(number * 40, 1000) for number in range(COUNT)]
