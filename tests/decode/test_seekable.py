"""Films of which no rank may decode a part by itself, and where decoding may begin."""

from pathlib import Path

import pytest

from fastvid.decode.entry_points import NotSeekable
from fastvid.decode.film import open_source
from support.decode_clips import join_clips, numbered_clip, write_clip
from support.random_access import check_all, entries_of, moving

REFUSED: dict[str, tuple[str, dict[str, object], str]] = {
    "no index": ("a.ts", {}, "mpegts files have no index"),
    "no packets' times": ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, "avi files"),
    "no times": ("a.h264", {}, "no time stamps of their own"),
    "codec": ("a.mp4", {"codec": "mpeg4"}, "mpeg4 decoder is not known"),
    "interlaced": ("a.mp4", {"options": {"x264-params": "tff=1"}}, "interlaced"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_exact_is_refused_with_the_reason(tmp_path: Path, case: str) -> None:
    name, options, why = REFUSED[case]
    path = numbered_clip(tmp_path / name, 12, **options)
    with open_source(str(path)) as source, pytest.raises(NotSeekable, match=why):
        source.index()


def test_bridging_damage_needs_the_order(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "a.mp4", 12)
    with (
        open_source(str(path), on_error="keep-going") as source,
        pytest.raises(NotSeekable, match="keep-going"),
    ):
        source.index()


def test_gradual_refresh_and_open_groups_of_h264_are_no_entry_points(tmp_path: Path) -> None:
    """The container marks them as key frames, but what follows may refer to what was before."""
    for number, params in enumerate(("intra-refresh=1:keyint=10", "open-gop=1:keyint=10")):
        path = write_clip(
            tmp_path / f"{number}.mkv",
            moving(),
            options={"qp": "20", "bf": "2", "x264-params": params},
        )
        assert len(entries_of(path)) == 1
        check_all(path)


def test_parameter_sets_that_change_are_refused(tmp_path: Path) -> None:
    """Two recordings, one after the other, each with its sets at its first picture only."""
    parts = [
        write_clip(
            tmp_path / f"{i}.h264",
            moving()[:20],
            options={"g": "5", "bf": "0", "qp": str(20 + 12 * i), "x264-params": extra},
        )
        for i, extra in enumerate(("cabac=1", "cabac=0"))
    ]
    path = join_clips(tmp_path / "joined.mkv", parts, {"framerate": "25"})
    with open_source(str(path)) as film, pytest.raises(NotSeekable, match="parameter sets"):
        film.index()
