"""The finished file: every time stamp, and everything of the source that is not its video."""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import OutputContainer
from av.stream import Stream

from fastvid.decode.film import open_source
from fastvid.encode.mux import mux
from fastvid.encode.output import plan_output
from fastvid.encode.side_streams import add_copies
from fastvid.encode.track import decoding_times
from fastvid.errors import StorageError
from support.encode_clips import (
    AUDIO_RATE,
    Stored,
    decoded,
    encode_parts,
    info_of,
    moving,
    packets,
    write_source,
)
from support.places import REPOSITORY, TESTS, VIDEOS

TICK = Fraction(1, 12800)


def _mux(
    folder: Path,
    name: str,
    source: Path | None = None,
    *,
    times: list[int] | None = None,
    span: tuple[int, int] | None = None,
    last: int = 512,
    seams: tuple[int, ...] = (5, 6),
    time_base: Fraction = TICK,
    codec: str | None = None,
) -> tuple[Path, list[str]]:
    times = times if times is not None else list(range(0, 25 * 512, 512))
    plan = plan_output(folder / name, info=info_of(64, 48, time_base), source=source, codec=codec)
    work = folder / "parts"
    work.mkdir(exist_ok=True)
    parts = encode_parts(plan, work, moving(len(times)), times, last, seams)
    return plan.path, mux(plan, list(parts), source=source, span=span)


def _uneven(count: int, start: int, longest: int = 3000) -> list[int]:
    steps = np.random.default_rng(count).integers(100, longest, count)
    return [start + int(step) for step in np.cumsum(steps) - steps[0]]


@pytest.mark.parametrize("extension", ["mp4", "mov"])
@pytest.mark.parametrize(
    ("time_base", "start", "longest"),
    [
        (TICK, 0, 3000),
        (TICK, 406, 3000),
        (Fraction(1001, 30000), 7, 200),
        (Fraction(1, 90000), 123457, 9000),
        (Fraction(1, 1000000), 3, 99999),
        (Fraction(1, 1000), 1, 150),
    ],
)
def test_variable_rates_are_exact_and_a_late_start_is_taken_away(
    tmp_path: Path, extension: str, start: int, time_base: Fraction, longest: int
) -> None:
    times = _uneven(30, start, longest)
    path, notes = _mux(
        tmp_path, f"out.{extension}", times=times, last=777, seams=(1, 9, 20), time_base=time_base
    )
    assert decoded(path)[0] == [(pts - start) * time_base for pts in times]
    stored = packets(path, "video")
    dts = [packet.dts for packet in stored]
    assert all(first < second for first, second in zip(dts, dts[1:]))  # type: ignore[operator]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length = (stream.duration or 0) * (stream.time_base or 0)
    assert length == (times[-1] + 777 - times[0]) * time_base
    assert notes == []


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_tiny_parts_at_the_end_lose_no_frame(tmp_path: Path, codec: str) -> None:
    times = [0, 2567, 5235, 10221, 13582, 15247, 16934, 17290]
    path, _ = _mux(tmp_path, "out.mp4", times=times, last=77, seams=(5, 6, 7), codec=codec)
    assert decoded(path)[0] == [pts * TICK for pts in times]


def test_matroska_rounds_to_milliseconds_and_says_so(tmp_path: Path) -> None:
    times = _uneven(30, 12345)
    path, notes = _mux(tmp_path, "out.mkv", times=times)
    starts = [(pts - times[0]) * TICK for pts in times]
    assert decoded(path)[0] == [Fraction(round(start * 1000), 1000) for start in starts]
    assert "rounded by up to 0." in notes[0]
    assert _mux(tmp_path, "even.mkv")[1] == []


def test_a_video_that_begins_before_zero_begins_at_zero(tmp_path: Path) -> None:
    path, notes = _mux(tmp_path, "out.mp4", times=[-1024, -512, 0, 512])
    assert decoded(path)[0] == [Fraction(index, 25) for index in range(4)]
    assert "began at -0.080 s" in notes[0]


@pytest.mark.parametrize("extension", ["mp4", "mov"])
@pytest.mark.parametrize("start", [Fraction(0), Fraction(5, 4)])
def test_sound_is_kept_packet_for_packet_with_its_priming(
    tmp_path: Path, extension: str, start: Fraction
) -> None:
    source = write_source(tmp_path / "in.mp4", start=start)
    expected = packets(source, "audio")
    offset = int(start / TICK)
    assert expected[0].pts == start - Fraction(1024, AUDIO_RATE)
    path, notes = _mux(
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
    path, notes = _mux(
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
    path, _ = _mux(tmp_path, "out.mkv", source)
    expected, got = packets(source, "audio"), packets(path, "audio")
    assert [packet.data for packet in got] == [packet.data for packet in expected]
    assert max(abs(a.pts - b.pts) for a, b in zip(got, expected)) <= Fraction(1, 1000)


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_part_of_the_film_takes_its_sound_and_subtitles_along(
    tmp_path: Path, extension: str
) -> None:
    codec = "mov_text" if extension == "mp4" else "subrip"
    source = write_source(
        tmp_path / f"in.{extension}", frames=50, seconds=2, subtitle=codec, chapters=True
    )
    first, end = 10 * 512, 35 * 512
    path, _ = _mux(
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
    assert all(abs(a.pts - (b.pts - begin)) <= rounding for a, b in zip(got, inside))

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
    path, _ = _mux(
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
    path, notes = _mux(tmp_path, "out.mkv", source)
    assert len(notes) == 1 and "subtitle, mov_text" in notes[0] and ".mp4" in notes[0]
    assert packets(path, "audio")
    path, notes = _mux(tmp_path, "out.webm", source)
    assert len(notes) == 2 and "aac" in notes[0] and ".mkv" in notes[0]
    source = write_source(tmp_path / "in.mkv", subtitle="subrip")
    path, notes = _mux(tmp_path, "out.mp4", source)
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
    path, notes = _mux(tmp_path, "out.mkv", source)
    assert notes == []
    with av.open(str(path)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == [
            "Chapter 0",
            "Chapter 1",
        ]
        kept = {stream.type: stream for stream in container.streams}
        assert kept["attachment"].metadata["filename"] == "face.ttf"
        assert kept["audio"].disposition & av.stream.Disposition.forced
    path, notes = _mux(tmp_path, "out.mp4", source)
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
        path, notes = _mux(tmp_path, f"out.{extension}", source, span=span)
        assert bool(notes) == (extension == "mkv")
        with av.open(str(path)) as container:
            kept = container.streams.video[0].metadata.get("timecode")
        assert kept == (None if span or extension == "mkv" else "01:00:00:00")


def test_a_stream_that_the_muxer_breaks_off_over_does_not_cost_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "in.mp4", subtitle="mov_text")

    def refuse_subtitles(
        output: OutputContainer, streams: list[Stream], *_: bool
    ) -> dict[int, Stream]:
        if any(stream.type == "subtitle" for stream in streams):
            raise av.ArgumentError(22, "Invalid argument")
        return add_copies(output, streams)

    monkeypatch.setattr("fastvid.encode.mux.add_copies", refuse_subtitles)
    path, notes = _mux(tmp_path, "out.mp4", source)
    assert len(decoded(path)[0]) == 25
    assert packets(path, "audio") == packets(source, "audio")
    assert len(notes) == 1 and "subtitle" in notes[0]
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4", "parts"]


def test_sound_and_video_lie_side_by_side_in_the_file(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in.mp4", frames=100, seconds=4)
    path, _ = _mux(tmp_path, "out.mp4", source, times=list(range(0, 51200, 512)))
    with av.open(str(path)) as container:
        by_place = sorted(
            (packet.pos or 0, float((packet.dts or 0) * packet.time_base))
            for packet in container.demux()
            if packet.size
        )
    assert len(by_place) == 100 + len(packets(source, "audio"))
    assert max(abs(a[1] - b[1]) for a, b in zip(by_place, by_place[1:])) < 0.6


def test_a_damaged_source_gives_its_sound_up_to_the_damage(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in.mkv", frames=100, seconds=4)
    expected = packets(source, "audio")
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    path, _ = _mux(tmp_path, "out.mkv", source, times=list(range(0, 51200, 512)))
    got = packets(path, "audio")
    assert 20 < len(got) < len(expected)
    assert [packet.data for packet in got] == [packet.data for packet in expected[: len(got)]]
    assert len(decoded(path)[0]) == 100


def test_the_old_output_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path, _ = _mux(tmp_path, "out.mp4")
    before = path.read_bytes()
    plan = plan_output(path, info=info_of(64, 48))
    (part,) = encode_parts(plan, tmp_path / "parts", moving(3), range(3), 1)
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(StorageError):
        mux(plan, [part])
    with pytest.raises(StorageError, match="can't read"):
        mux(plan, [tmp_path / "nothing"])
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["out.mp4", "parts"]


_FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.encode_clips import encode_parts, info_of, noise
from fastvid.errors import StorageError
from fastvid.encode.output import plan_output
from fastvid.encode.mux import mux
from fastvid.encode.side_streams import add_copies
folder = Path({folder!r})
plan = plan_output(folder / "out.mkv", info=info_of(64, 48), codec="ffv1")
parts = encode_parts(plan, folder, noise(20, 64, 48), range(20), 1)
for limit, what in ((60000, mux), (30000, None), (200, None)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        if what:
            mux(plan, parts)
        else:
            encode_parts(plan, folder / "more", noise(20, 64, 48), range(20), 1)
    except StorageError as error:
        print(error)
    else:
        sys.exit("no error")
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no file size limit here")
def test_a_disk_that_takes_no_more_is_one_clear_error(tmp_path: Path) -> None:
    """With a limit on the size of files, which fails like a full disk."""
    (tmp_path / "more").mkdir()
    script = _FULL_DISK.format(tests=str(TESTS), folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(
        "File too large; the file system or a limit" in line for line in lines
    )
    assert f"can't write {tmp_path}/" in lines[0]
    assert sorted(os.listdir(tmp_path)) == ["more", "part-0"]
    assert os.listdir(tmp_path / "more") == []


def test_nothing_is_printed_by_the_encoders(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write_source(tmp_path / "in.mp4")
    capfd.readouterr()
    for name, codec in (
        ("a.mp4", "libx264"),
        ("b.mp4", "libx265"),
        ("c.mp4", "libsvtav1"),
        ("d.webm", "libvpx-vp9"),
        ("e.mov", "prores"),
        ("f.mkv", "ffv1"),
    ):
        _mux(tmp_path, name, source, codec=codec)
    assert capfd.readouterr() == ("", "")


def test_decoding_times() -> None:
    assert decoding_times([0, 3, 1, 2], 4) == [-1, 0, 1, 2]
    assert decoding_times([0, 1, 2], 3) == [0, 1, 2]
    assert decoding_times([7], 9) == [7]
    # Two parts with a reordering of two frames each, the second one slow.
    pts, end = [0, 40, 20, 10, 30, 50, 900, 700, 600, 800], 1000
    dts = decoding_times(pts, end)
    assert all(first < second for first, second in zip(dts, dts[1:]))
    assert all(early <= late for early, late in zip(dts, pts))
    assert dts[-1] + 100 - dts[0] == end
    # A key frame just before the end: the packet after it is decoded before the end is reached.
    dts = decoding_times([0, 400, 100, 200, 300, 500, 520], 530, frozenset({0, 500}))
    assert dts[-2] < dts[-1] < dts[-2] + 530 - 500
    with pytest.raises(ValueError):
        decoding_times([1, 1], 2)


@pytest.mark.parametrize(
    ("name", "count"), [("bikes", 250), ("bigbuckbunny", 132), ("carphone_pristine", 120)]
)
def test_real_videos_keep_every_time_and_their_sound(tmp_path: Path, name: str, count: int) -> None:
    source = VIDEOS / f"{name}.mp4"
    if not source.exists():
        pytest.skip("the real videos are not here")
    times = sorted(packet.pts for packet in packets(source, "video"))
    with av.open(str(source)) as container:
        unit = container.streams.video[0].time_base
    assert unit is not None
    path, notes = _mux(
        tmp_path,
        "out.mp4",
        source,
        times=[int(time / unit) for time in times],
        last=int(packets(source, "video")[-1].duration / unit),
        time_base=unit,
    )
    assert decoded(path)[0] == times and len(times) == count
    if name == "bigbuckbunny":
        assert packets(path, "audio") == packets(source, "audio")
    assert notes == []
