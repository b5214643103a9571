"""Stretches of recurrent models: where they begin, what their segments bring along, settings."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastvid.decode.frame import Frame
from fastvid.errors import InputError
from fastvid.job.opening import check_kind
from fastvid.job.options import StylizeOptions
from fastvid.parallel.segments import Segment
from fastvid.parallel.stretches import cut_into_stretches
from fastvid.stages.overlap import Break, Overlap, mark_stretches, seams
from fastvid.stages.seam_report import SeamReport
from fastvid.style.loading import load_model
from support import job_clips
from support.recurrent_runs import SMALL


def film(length: int, cuts: tuple[int, ...] = ()) -> list[tuple[Frame, bool]]:
    image = np.zeros((1, 1, 3), np.uint8)
    return [(Frame(index, image, index, 1), index in cuts) for index in range(length)]


@pytest.mark.parametrize("length", [1, 8, 13, 14, 15, 21, 22, 23, 60])
def test_where_stretches_begin(length: int) -> None:
    """None is too short for its correction; what is left joins the last."""
    marked = list(mark_stretches(film(length), SMALL))
    assert [frame.index for frame, _ in marked] == list(range(length))
    starts = [frame.index for frame, begins in marked if begins is Break.STRETCH]
    assert marked[0][1] is Break.SHOT and starts == list(seams(0, length, SMALL))
    bounds = [0, *starts, length]
    lengths = [two - one for one, two in pairwise(bounds)]
    assert all(one == 8 for one in lengths[:-1])
    assert len(lengths) == 1 or SMALL.seam_frames <= lengths[-1] < 8 + SMALL.seam_frames


def test_stretches_do_not_cross_cuts() -> None:
    marked = mark_stretches(film(50, cuts=(20, 21, 40)), SMALL)
    found = {frame.index: begins.name for frame, begins in marked if begins is not Break.NOTHING}
    assert found == {0: "SHOT", 8: "STRETCH", 20: "SHOT", 21: "SHOT", 29: "STRETCH", 40: "SHOT"}


def numbers(frames: tuple[Frame, ...]) -> list[int]:
    return [frame.index for frame in frames]


def test_segments_of_stretches() -> None:
    """Each frame is in one segment; the first of a stretch brings its warm-up along, and is as long
    as what waits for its correction."""
    found: list[Segment] = list(cut_into_stretches(film(34, cuts=(3,)), 5, SMALL))
    assert [numbers(one.frames) for one in found] == [
        [0, 1, 2],
        [3, 4, 5, 6, 7],
        [8, 9, 10],
        [11, 12, 13, 14, 15, 16],
        [17, 18],
        [19, 20, 21, 22, 23, 24],
        [25, 26],
        [27, 28, 29, 30, 31, 32],
        [33],
    ]
    assert [one.group for one in found] == [0, 1, 1, 3, 3, 5, 5, 7, 7]
    assert [one.index for one in found] == list(range(9))
    assert [one.shot for one in found] == [0] + 8 * [1]
    assert [one.shot_start for one in found] == [0] + 8 * [3]
    assert {one.index: numbers(one.warm_up) for one in found if one.warm_up} == {
        3: [8, 9, 10],
        5: [16, 17, 18],
        7: [24, 25, 26],
    }
    assert [one.halo.index if one.halo else None for one in found] == [
        None,
        None,
        7,
        None,
        16,
        None,
        24,
        None,
        32,
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"segment": 20}, "--overlap-segment 20 is too short"),
        ({"warm_up": 0}, "--overlap-warm-up 0"),
        ({"recompute": 0}, "--overlap-recompute 0"),
        ({"fade": -1}, "--overlap-fade -1"),
        ({"tolerance": -0.5}, "--overlap-tolerance -0.5"),
        ({"warm_up": 121}, "at least 121 frames"),
    ],
)
def test_settings_out_of_range(values: dict[str, Any], words: str) -> None:
    options = StylizeOptions(
        Path("in.mp4"), Path("out.mp4"), pipeline="overlap", overlap=Overlap(**values)
    )
    with pytest.raises(InputError, match=words):
        options.check()


def test_settings_of_the_other_pipeline() -> None:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), overlap=Overlap(warm_up=4))
    with pytest.raises(InputError, match="--overlap-warm-up is for --pipeline overlap"):
        options.check()
    replace(options, pipeline="overlap").check()


def test_frame_models_do_not_overlap() -> None:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), pipeline="overlap")
    check_kind(options, [load_model(job_clips.recurrent_bytes(), "mine")])
    with pytest.raises(InputError, match="tiny paints every frame on its own"):
        check_kind(options, [load_model(job_clips.style_bytes(), "tiny")])


def test_seams_are_measured_against_the_rest() -> None:
    report = SeamReport(seam_frames=2)
    assert report.describe() is None
    report.add(0, [float("nan"), 2.0, 2.0, 4.0])
    report.add_seam(4)
    report.add_seam(8)
    report.add(4, [3.0, 5.0, 2.0, 2.0])
    report.add(8, [2.0, 2.0, 2.0])
    assert report.describe() == (
        "2 seams: temporal error 1.50 times the median elsewhere (2.00 at the worst)"
    )
