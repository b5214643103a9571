"""The times of the frames in the finished file: every time stamp of the source, or a note."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from fastvid.encode.track import decoding_times
from support.encode_clips import (
    TICK,
    decoded,
    moving,
    muxed,
    packets,
)
from support.places import VIDEOS


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
    path, notes = muxed(
        tmp_path, f"out.{extension}", times=times, last=777, seams=(1, 9, 20), time_base=time_base
    )
    assert decoded(path)[0] == [(pts - start) * time_base for pts in times]
    stored = packets(path, "video")
    dts = [packet.dts for packet in stored]
    assert all(first < second for first, second in itertools.pairwise(dts))  # type: ignore[operator]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length = (stream.duration or 0) * (stream.time_base or 0)
    assert length == (times[-1] + 777 - times[0]) * time_base
    assert notes == []


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_tiny_parts_at_the_end_lose_no_frame(tmp_path: Path, codec: str) -> None:
    times = [0, 2567, 5235, 10221, 13582, 15247, 16934, 17290]
    path, _ = muxed(tmp_path, "out.mp4", times=times, last=77, seams=(5, 6, 7), codec=codec)
    assert decoded(path)[0] == [pts * TICK for pts in times]


def test_matroska_rounds_to_milliseconds_and_says_so(tmp_path: Path) -> None:
    times = _uneven(30, 12345)
    path, notes = muxed(tmp_path, "out.mkv", times=times)
    starts = [(pts - times[0]) * TICK for pts in times]
    assert decoded(path)[0] == [Fraction(round(start * 1000), 1000) for start in starts]
    assert "rounded by up to 0." in notes[0]
    assert muxed(tmp_path, "even.mkv")[1] == []


def test_a_video_that_begins_before_zero_begins_at_zero(tmp_path: Path) -> None:
    path, notes = muxed(tmp_path, "out.mp4", times=[-1024, -512, 0, 512])
    assert decoded(path)[0] == [Fraction(index, 25) for index in range(4)]
    assert "began at -0.080 s" in notes[0]


def test_decoding_times() -> None:
    assert decoding_times([0, 3, 1, 2], 4) == [-1, 0, 1, 2]
    assert decoding_times([0, 1, 2], 3) == [0, 1, 2]
    assert decoding_times([7], 9) == [7]
    # Two parts with a reordering of two frames each, the second one slow.
    pts, end = [0, 40, 20, 10, 30, 50, 900, 700, 600, 800], 1000
    dts = decoding_times(pts, end)
    assert all(first < second for first, second in itertools.pairwise(dts))
    assert all(early <= late for early, late in zip(dts, pts, strict=False))
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
    path, notes = muxed(
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


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_the_last_packet_of_sound_is_kept(tmp_path: Path, ending: str) -> None:
    """ALAC has packets of 4096 samples, without durations in Matroska; the last one has 256."""
    source, count = tmp_path / "source.mkv", 4096 + 256
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=25)
        sound = output.add_stream("alac", rate=44100)
        assert isinstance(video, VideoStream) and isinstance(sound, AudioStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound.layout, sound.format = "mono", "s16p"
        output.mux(video.encode(av.VideoFrame.from_ndarray(moving(1)[0], format="rgb24")))
        output.mux(video.encode(None))
        tone = (np.arange(count) % 300).astype(np.int16)[None]
        for start in range(0, count, 4096):
            piece = av.AudioFrame.from_ndarray(tone[:, start : start + 4096], "s16p", "mono")
            piece.sample_rate, piece.pts = 44100, start
            output.mux(sound.encode(piece))
        output.mux(sound.encode(None))
    path, _ = muxed(tmp_path, f"out.{ending}", source=source)
    with av.open(str(path)) as film:
        assert sum(frame.samples for frame in film.decode(audio=0)) == count
