"""What ranks that read apart rely on: promised frames, samples of a file, what it costs."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.entry_points import EntryPoints
from fastvid.decode.film import open_source
from fastvid.decode.fingerprint import sample_fingerprint
from fastvid.errors import InputError
from fastvid.job.decoding import decoded_a_frame, marked_frames
from support import decode_clips


def test_a_change_under_rank_0_is_called_by_its_name(tmp_path: Path) -> None:
    """And not taken for damage of the film."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 240, 320, 3), dtype=np.uint8)
    film = decode_clips.write_clip(
        tmp_path / "film.mkv", list(noise), codec="ffv1", pix_fmt="yuv444p"
    )
    with open_source(str(film)) as source:
        frames = marked_frames(source, "none", ranks_read=False)
        next(frames)
        os.truncate(film, film.stat().st_size // 2)
        with pytest.raises(InputError, match=r"^rank 0: .*film.mkv: was changed while"):
            list(frames)


def test_promised_frames_are_those_that_come(inputs: Path) -> None:
    for source, part in (("long.mp4", None), ("short.mkv", (5, 30)), ("images", (2, None))):
        with open_source(
            str(inputs / source), frames=part, fps=Fraction(25) if source == "images" else None
        ) as film:
            promised = [
                (frame.index, frame.pts, frame.duration) for frame in film.promised_frames()
            ]
            assert promised == [(frame.index, frame.pts, frame.duration) for frame in film]


def test_what_a_rank_decodes_for_a_frame_that_it_uses() -> None:
    def entries(step: int) -> EntryPoints:
        frames = np.arange(0, 2000, step)
        return EntryPoints(frames, frames, frames)

    assert decoded_a_frame(entries(2000), 2000, 4, 1) == pytest.approx(1.0, abs=0.01)
    # One of three segments: the ones between are decoded too.
    assert decoded_a_frame(entries(2000), 1999, 4, 3) == pytest.approx(3.0, abs=0.05)
    # All frames but the first of a segment's halo are key frames.
    assert decoded_a_frame(entries(1), 2000, 4, 50) == pytest.approx(1.25, abs=0.03)
    # From a key frame, on average 125 frames before.
    assert 15 < decoded_a_frame(entries(250), 2000, 4, 100) < 45


def test_a_sample_tells_files_and_folders_apart(tmp_path: Path) -> None:
    def sample(name: str) -> str:
        return sample_fingerprint(str(tmp_path / name))

    content = bytearray(np.random.default_rng(0).bytes(5 << 20))
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_bytes(content)
    assert sample("a") == sample("b")
    for place in (0, len(content) - 1):
        other = bytearray(content)
        other[place] ^= 1
        (tmp_path / "b").write_bytes(other)
        assert sample("a") != sample("b")
    (tmp_path / "b").write_bytes(content + b"x")
    assert sample("a") != sample("b")
    for name in ("c", "d"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_bytes(b"12345")
    assert sample("c") == sample("d")
    (tmp_path / "d" / "1.png").write_bytes(b"123456")
    assert sample("c") != sample("d")
    with pytest.raises(OSError):
        sample("e")
