"""The benchmarks' own arithmetic: costs, cuts, stages that sleep, timelines."""

import argparse
from itertools import pairwise

import numpy as np
import pytest

from fastvid.stages.interface import RecurrentStages
from fastvid.style.loading import load_model, load_style
from fastvid.style.recurrent import RecurrentModel
from harness.emulation import Costs, SleepingStages, costs_of, rank_speeds, uneven_cuts
from harness.recurrent import SleepingRecurrent, recurrent_style
from harness.spans import shares, spans


def test_costs_are_read_by_name() -> None:
    assert Costs.parse("motion=0.08,paint=0.24,blend=0.004") == Costs(0.08, 0.24, 0.004)
    assert Costs.parse("paint=1") == Costs(0.0, 1.0, 0.0)


@pytest.mark.parametrize("text", ["decode=1", "motion=fast", "motion=-1", "motion=nan", "motion"])
def test_costs_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        Costs.parse(text)


@pytest.mark.parametrize(
    ("old", "new"), [("flow", "motion"), ("stylize", "paint"), ("temporal", "blend")]
)
def test_costs_by_the_names_of_old_tell_the_new_ones(old: str, new: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"{old} is called {new} now"):
        costs_of(f"{old}=0.1")


def test_the_first_frame_of_a_shot_costs_no_flow() -> None:
    assert Costs(1.0, 10.0, 0.5).total(frames=7, shots=2) == 7 * 10.0 + 5 * 1.5


def test_one_rank_in_four_is_slow_and_never_rank_0() -> None:
    speeds = rank_speeds(9, slow=True)
    assert speeds == [1, 1, 1, 0.5, 1, 1, 1, 0.5, 1]
    assert rank_speeds(3, slow=False) == [1, 1, 1]


@pytest.mark.parametrize("frames", [104, 120, 960, 1920])
def test_shots_are_uneven_and_none_is_tiny(frames: int) -> None:
    cuts = uneven_cuts(frames, 26)
    lengths = np.diff([0, *cuts, frames])
    assert len(lengths) == 26 and lengths.sum() == frames and lengths.min() >= 4
    if frames == 1920:
        assert lengths.max() > 5 * lengths.min()


def test_too_few_frames_for_the_shots() -> None:
    with pytest.raises(ValueError, match="too few"):
        uneven_cuts(103, 26)


def test_sleeping_stages_depend_on_frame_and_history() -> None:
    """The painted frame is the negative, the finished one half of it and half of the one before."""
    stages = SleepingStages(Costs(0, 0, 0))
    frame = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    painted = stages.paint(frame)
    assert painted.shape == (1, 5, 7, 3) and (painted[0] == 255 - frame).all()
    previous = np.full((1, 5, 7, 3), 200, np.uint8)
    finished = stages.blend(painted, previous, stages.motion(frame, frame, 1))
    assert (finished[0] == (255 - frame) // 2 + 100).all()


def test_a_recurrent_model_that_sleeps_never_forgets() -> None:
    stages = SleepingRecurrent(Costs(0, 0, 0))
    assert isinstance(stages, RecurrentStages)
    frame = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    one, two = stages.begin(frame), stages.begin(frame) + 9
    for _ in range(20):
        motion = stages.motion(frame, frame, 1)
        one, two = (stages.blend(stages.paint(frame), past, motion) for past in (one, two))
    assert (two - one == 9).all()
    assert Costs(1.0, 0.0, 10.0).recurrent_total(frames=7, shots=2) == 7 * 10.0 + 5 * 1.0


def test_a_recurrent_model_out_of_a_bundled_style() -> None:
    """Without a share of the past it is that style."""
    frame = np.random.default_rng(1).integers(0, 256, (40, 56, 3), np.uint8)
    alone, other = frame[::-1].copy(), np.ones((40, 56), bool)
    model = load_model(recurrent_style("starry_night", 0.0), "made")
    assert isinstance(model, RecurrentModel)
    (painted,) = load_style("starry_night").paint([frame])
    assert np.array_equal(model.step(frame, alone, other), painted)
    leaning = load_model(recurrent_style("starry_night", 0.5), "made")
    assert isinstance(leaning, RecurrentModel)
    assert not np.array_equal(leaning.step(frame, alone, other), leaning.step(frame, frame, other))


def row(
    rank: int,
    start: int,
    motion: tuple[float, float],
    paint: tuple[float, float],
    blend: tuple[float, float],
) -> dict[str, float]:
    """A row of /segments: four frames; (start, seconds) of each stage."""
    found: dict[str, float] = {"rank": rank, "start": start, "stop": start + 4}
    for stage, (began, seconds) in (("motion", motion), ("paint", paint), ("blend", blend)):
        found |= {f"{stage}_start": began, f"{stage}_seconds": seconds}
    return found | {"dealt_start": 100.0, "stored_start": 120.0}


# Real times are seconds since 1970: a timeline has to bear their coarse last digits.
EPOCH_S = 1.7e9


def test_a_timeline_has_every_second_once() -> None:
    """Segment 0 computes for 10 s; its temporal pass comes 1 s into the heavy work of segment 1."""
    rows = [
        row(1, 0, (EPOCH_S, 2.0), (EPOCH_S + 0.5, 8.0), (EPOCH_S + 11.0, 0.5)),
        row(1, 4, (EPOCH_S + 10.0, 2.0), (EPOCH_S + 10.5, 8.0), (EPOCH_S + 25.0, 0.5)),
    ]
    found = sorted(spans(rows), key=lambda span: span.start)
    for before, after in pairwise(found):
        assert after.start >= before.stop - 1e-5
    for stage, seconds in (("motion", 4.0), ("paint", 16.0), ("blend", 1.0)):
        drawn = sum(span.stop - span.start for span in found if span.stage == stage)
        assert drawn == pytest.approx(seconds, abs=1e-4)
    heavy_end = max(span.stop for span in found if span.stage != "blend")
    assert heavy_end == pytest.approx(EPOCH_S + 20.5, abs=1e-4)


def test_where_the_time_goes() -> None:
    """Rank 0 is busy for 10 of 20 s, rank 1 never."""
    rows = [row(0, 0, (102.0, 2.0), (104.0, 6.0), (115.0, 2.0))]
    found = shares(rows, ranks=2)
    assert found["busy"] == pytest.approx(10 / 40)
    assert found["start"] == pytest.approx((2 + 20) / 40)
    assert found["end"] == pytest.approx(3 / 40)
    assert sum(found.values()) == pytest.approx(1)
