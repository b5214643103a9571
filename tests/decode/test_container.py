"""What is taken for a video and what is not; nothing but the named file is ever opened."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.decode.container import is_animated_webp
from fastvid.decode.film import open_source
from fastvid.errors import InputError
from support.decode_clips import numbered_clip, numbered_picture, read_number, to_yuv, yuv_frame


def write_with_cover(path: Path, video: bool) -> None:
    """Sound, a cover picture, and a film if asked for."""
    with av.open(str(path), "w") as output:
        film = output.add_stream("mpeg4", rate=25) if video else None
        sound = output.add_stream("aac", rate=44100)
        cover = output.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 128, 96, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame(128, 96, "yuvj420p")
        picture.pts = 0
        if film is not None:
            film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
            for number in range(3):
                frame = yuv_frame(to_yuv(numbered_picture(number), 6, False, 8), "yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(film.encode(frame))
            output.mux(film.encode(None))
        output.mux(cover.encode(picture))
        output.mux(cover.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        silence.sample_rate, silence.pts = 44100, 0
        output.mux(sound.encode(silence))
        output.mux(sound.encode(None))


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    write_with_cover(tmp_path / "song.mp4", video=False)
    with pytest.raises(InputError, match=r"no video stream .only a cover picture"):
        open_source(str(tmp_path / "song.mp4"))
    write_with_cover(tmp_path / "film.mp4", video=True)
    source = open_source(str(tmp_path / "film.mp4"))
    assert [read_number(frame.image) for frame in source] == [0, 1, 2]
    assert source.stream_index == 0


def test_files_that_are_no_videos(tmp_path: Path) -> None:
    numbered_clip(tmp_path / "part.ts", 3)
    contents = {
        "empty.mp4": b"",
        "noise.mp4": np.random.default_rng(0).bytes(5000),
        "text.txt": b"hello, world\n" * 40,
        "list.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\npart.ts\n#EXT-X-ENDLIST\n",
        "list.ffconcat": b"ffconcat version 1.0\nfile part.ts\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            open_source(str(tmp_path / name))
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "absent.mp4"))
    with pytest.raises(InputError, match="no such file"):
        open_source("http://127.0.0.1:9/a.mp4")
    with pytest.raises(InputError, match="--fps"):
        open_source(str(tmp_path / "part.ts"), fps=Fraction(25))
    with pytest.raises(InputError, match="keep-going"):
        open_source(str(tmp_path / "part.ts"), on_error="maybe")


def test_only_sound_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "s.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        output.mux(stream.encode(frame))
    with pytest.raises(InputError, match=r"no video stream .it has audio only"):
        open_source(str(tmp_path / "s.wav"))


def test_names_that_look_like_addresses_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a|b.mp4", "50%d.mp4", "http:x.mp4"):
        numbered_clip(tmp_path / "plain.mp4", 3).rename(tmp_path / name)
        assert [read_number(frame.image) for frame in open_source(name)] == [0, 1, 2]


@pytest.mark.parametrize(
    "name, words",
    [("f_%05d.png", "Patterns are not followed"), ("f_*.png", "Patterns"), ("gone.mp4", "no such")],
)
def test_a_missing_file_is_said_to_be_missing_with_a_rate_too(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        open_source(str(tmp_path / name), fps=Fraction(25))


def test_an_animated_picture_is_called_so(tmp_path: Path) -> None:
    header = b"VP8X" + (10).to_bytes(4, "little") + bytes([2, 0, 0, 0]) + bytes(6)
    path = tmp_path / "a.webp"
    path.write_bytes(b"RIFF" + (4 + len(header)).to_bytes(4, "little") + b"WEBP" + header)
    assert is_animated_webp(str(path))
    path.write_bytes(path.read_bytes().replace(bytes([2, 0, 0, 0]), bytes(4)))
    assert not is_animated_webp(str(path))
