"""Recordings that were joined end to end: where the clock jumps the film goes on without a gap."""

from fractions import Fraction
from pathlib import Path

import pytest

from fastvid.decode.film import open_source
from support.decode_clips import numbered_clip, read_number

COUNT = 12


def joined(folder: Path, ending: str, starts: tuple[int, ...]) -> Path:
    """Clips one after the other in a file. starts: when each begins by its own clock, seconds."""
    path = folder / f"joined.{ending}"
    with open(path, "wb") as output:
        for number, start in enumerate(starts):
            codec = "mpeg2video" if ending == "vob" else "libx264"
            times = [25 * start + frame for frame in range(COUNT)]
            clip = numbered_clip(
                folder / f"{number}.{ending}", COUNT, codec=codec, times=times, options={"bf": "2"}
            )
            output.write(clip.read_bytes())
    return path


@pytest.mark.parametrize(
    "ending, starts",
    [("ts", (0, 500)), ("ts", (0, 0)), ("ts", (500, 0)), ("ts", (0, 90, 5)), ("vob", (0, 0))],
)
def test_a_clock_that_jumps_is_bridged_and_said(
    tmp_path: Path, ending: str, starts: tuple[int, ...]
) -> None:
    with open_source(str(joined(tmp_path, ending, starts))) as film:
        frames = list(film)
        unit = film.info.time_base
        assert film.damage == [] and film.late_notes == []
        assert any("its clock jumps at 0.48" in note for note in film.info.notes)
    assert [read_number(frame.image) for frame in frames] == list(range(COUNT)) * len(starts)
    assert {(frame.duration * unit) for frame in frames} == {Fraction(1, 25)}


def test_a_gap_of_some_seconds_stays(tmp_path: Path) -> None:
    """ffmpeg bridges more than 10 s; less is a recording that was paused."""
    with open_source(str(joined(tmp_path, "ts", (0, 5)))) as film:
        assert film.info.notes == () and film.frame_count == 2 * COUNT
        assert (film.end_pts - film.first_pts) * film.info.time_base > 5
