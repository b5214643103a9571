"""Everything of the source that is not its video: in the finished file, or named in a note."""

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from fastvid.decode.film import open_source
from support.encode_clips import (
    AUDIO_RATE,
    TICK,
    Stored,
    decoded,
    moving,
    muxed,
    packets,
    write_source,
)


@pytest.mark.parametrize("extension", ["mp4", "mov"])
@pytest.mark.parametrize("start", [Fraction(0), Fraction(5, 4)])
def test_sound_is_kept_packet_for_packet_with_its_priming(
    tmp_path: Path, extension: str, start: Fraction
) -> None:
    source = write_source(tmp_path / "in.mp4", start=start)
    expected = packets(source, "audio")
    offset = int(start / TICK)
    assert expected[0].pts == start - Fraction(1024, AUDIO_RATE)
    path, notes = muxed(
        tmp_path, f"out.{extension}", source, times=[offset + 512 * index for index in range(25)]
    )
    assert packets(path, "audio") == [_earlier(packet, start) for packet in expected]
    assert decoded(path)[0] == [time - start for time in decoded(source)[0]]
    assert notes == []
    with av.open(str(path)) as container:
        assert container.streams.audio[0].language == ("ger" if extension == "mov" else "deu")
        assert container.metadata["title"] == "A film"


def _earlier(packet: Stored, by: Fraction) -> Stored:
    return replace(packet, pts=packet.pts - by, dts=None if packet.dts is None else packet.dts - by)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize("second", [500, 0])
def test_joined_recordings_keep_their_sound_beside_the_picture(
    tmp_path: Path, name: str, second: int
) -> None:
    """The clock of the second one begins far ahead, or again."""
    sources = [
        write_source(tmp_path / f"{number}.ts", start=Fraction(start))
        for number, start in enumerate((20, 20 + second))
    ]
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(path.read_bytes() for path in sources))
    with open_source(str(source)) as film:
        times = [frame.pts for frame in film.promised_frames()]
    path, notes = muxed(
        tmp_path, name, source, times=times, last=3600, time_base=film.info.time_base
    )
    assert [note for note in notes if "millisecond" not in note] == []
    assert decoded(path)[0] == [Fraction(frame, 25) for frame in range(50)]
    sound = packets(path, "audio")
    assert [packet.data for packet in sound] == [
        packet.data[7:]
        for part in sources
        for packet in packets(part, "audio")  # without ADTS
    ]
    first, after = sound[0].pts, sound[len(sound) // 2].pts
    assert abs(first) <= Fraction(1, 40) and abs(after - first - 1) <= Fraction(1, 1000)
    assert sound[-1].pts < 2


def test_sound_in_matroska_is_exact_to_the_millisecond(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in.mp4")
    path, _ = muxed(tmp_path, "out.mkv", source)
    expected, got = packets(source, "audio"), packets(path, "audio")
    assert [packet.data for packet in got] == [packet.data for packet in expected]
    assert max(abs(a.pts - b.pts) for a, b in zip(got, expected, strict=False)) <= Fraction(1, 1000)


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_part_of_the_film_takes_its_sound_and_subtitles_along(
    tmp_path: Path, extension: str
) -> None:
    codec = "mov_text" if extension == "mp4" else "subrip"
    source = write_source(
        tmp_path / f"in.{extension}", frames=50, seconds=2, subtitle=codec, chapters=True
    )
    first, end = 10 * 512, 35 * 512
    path, _ = muxed(
        tmp_path, f"out.{extension}", source, span=(first, end), times=list(range(first, end, 512))
    )
    assert decoded(path)[0] == [Fraction(index, 25) for index in range(25)]

    begin, stop = first * TICK, end * TICK
    inside = [
        packet
        for packet in packets(source, "audio")
        if packet.pts < stop
        and packet.pts + packet.duration > begin
        and (extension == "mp4" or packet.pts >= begin)
    ]
    got = packets(path, "audio")
    assert [packet.data for packet in got] == [packet.data for packet in inside]
    rounding = Fraction(0) if extension == "mp4" else Fraction(1, 1000)
    assert all(abs(a.pts - (b.pts - begin)) <= rounding for a, b in zip(got, inside, strict=False))

    # Cues last from 0 to 0.3 s, 0.4 to 0.7 s, ...; the part from 0.4 to 1.4 s.
    cues = [
        (packet.data[-5:], packet.pts, packet.duration)
        for packet in packets(path, "subtitle")
        if len(packet.data) > 2
    ]
    assert cues == [
        (b"cue 1", 0, Fraction(3, 10)),
        (b"cue 2", Fraction(4, 10), Fraction(3, 10)),
        (b"cue 3", Fraction(8, 10), Fraction(2, 10)),
    ]
    with av.open(str(path)) as container:
        assert container.streams.get(subtitles=0)[0].metadata["language"] == "fra"
        spans = [
            (
                chapter["metadata"]["title"],
                chapter["start"] * (chapter["time_base"] or 0),
                chapter["end"] * (chapter["time_base"] or 0),
            )
            for chapter in container.chapters()
        ]
    assert spans == [
        ("Chapter 0", 0, Fraction(1, 10)),
        ("Chapter 1", Fraction(1, 10), Fraction(6, 10)),
    ]


def test_a_cue_that_the_cut_goes_through_is_shortened(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in.mkv", frames=50, seconds=2, subtitle="subrip")
    path, _ = muxed(
        tmp_path,
        "out.mkv",
        source,
        span=(15 * 512, 25 * 512),
        times=list(range(15 * 512, 25 * 512, 512)),
    )
    assert [(packet.data, packet.pts, packet.duration) for packet in packets(path, "subtitle")] == [
        (b"cue 1", 0, Fraction(1, 10)),
        (b"cue 2", Fraction(2, 10), Fraction(2, 10)),
    ]


def test_what_the_container_can_not_hold_is_named(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in.mp4", subtitle="mov_text")
    path, notes = muxed(tmp_path, "out.mkv", source)
    assert len(notes) == 1 and "subtitle, mov_text" in notes[0] and ".mp4" in notes[0]
    assert packets(path, "audio")
    path, notes = muxed(tmp_path, "out.webm", source)
    assert len(notes) == 2 and "aac" in notes[0] and ".mkv" in notes[0]
    source = write_source(tmp_path / "in.mkv", subtitle="subrip")
    path, notes = muxed(tmp_path, "out.mp4", source)
    assert len(notes) == 1 and "subtitle, srt" in notes[0] and ".mkv" in notes[0]


def test_whole_chapters_attachments_and_dispositions_are_kept(tmp_path: Path) -> None:
    plain = write_source(tmp_path / "plain.mkv", chapters=True)
    source = tmp_path / "in.mkv"
    with av.open(str(plain)) as reading, av.open(str(source), "w") as writing:
        copies = {
            stream.index: writing.add_stream_from_template(stream) for stream in reading.streams
        }
        copies[1].disposition = av.stream.Disposition.forced
        writing.add_attachment("face.ttf", "font/ttf", b"letters")
        writing.set_chapters(reading.chapters())
        for packet in reading.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                writing.mux(packet)
    path, notes = muxed(tmp_path, "out.mkv", source)
    assert notes == []
    with av.open(str(path)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == [
            "Chapter 0",
            "Chapter 1",
        ]
        kept = {stream.type: stream for stream in container.streams}
        assert kept["attachment"].metadata["filename"] == "face.ttf"
        assert kept["audio"].disposition & av.stream.Disposition.forced
    path, notes = muxed(tmp_path, "out.mp4", source)
    assert len(notes) == 1 and "attachment" in notes[0]
    with av.open(str(path)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == [
            "Chapter 0",
            "Chapter 1",
        ]


def test_a_time_code_is_kept_for_the_whole_and_dropped_for_a_part(tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.width, video.height = 64, 48
        video.metadata["timecode"] = "01:00:00:00"
        for image in moving(25):
            output.mux(video.encode(av.VideoFrame.from_ndarray(image)))
        output.mux(video.encode(None))
    for extension, span in (("mov", None), ("mp4", None), ("mkv", None), ("mov", (0, 25 * 512))):
        path, notes = muxed(tmp_path, f"out.{extension}", source, span=span)
        assert bool(notes) == (extension == "mkv")
        with av.open(str(path)) as container:
            kept = container.streams.video[0].metadata.get("timecode")
        assert kept == (None if span or extension == "mkv" else "01:00:00:00")


def test_sound_and_video_lie_side_by_side_in_the_file(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in.mp4", frames=100, seconds=4)
    path, _ = muxed(tmp_path, "out.mp4", source, times=list(range(0, 51200, 512)))
    with av.open(str(path)) as container:
        by_place = sorted(
            (packet.pos or 0, float((packet.dts or 0) * packet.time_base))
            for packet in container.demux()
            if packet.size
        )
    assert len(by_place) == 100 + len(packets(source, "audio"))
    assert max(abs(a[1] - b[1]) for a, b in itertools.pairwise(by_place)) < 0.6
