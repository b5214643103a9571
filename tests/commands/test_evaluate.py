"""The table of all figures."""

from typing import Any

import numpy as np
import pytest

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.evaluate.figures import LONG_RANGE_FRAMES, evaluate, format_table, judge_for
from fastvid.commands.evaluate.metrics import (
    fav_temporal_error,
    lai_temporal_error,
    sharpness,
    temporal_rmse,
)
from fastvid.errors import InputError
from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import consistency_mask, motion_boundaries

SHOTS = [(0, 10), (10, 20), (20, 30)]


@pytest.fixture(scope="module")
def film() -> list[np.ndarray]:
    clip = SyntheticClip(80, 45, 30)
    assert clip.cuts == (10, 20)
    return [clip.frame(index) for index in range(30)]


@pytest.fixture(scope="module")
def painted(film: list[np.ndarray]) -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    return [
        np.clip(frame + rng.normal(0, 25, frame.shape), 0, 255).astype(np.uint8) for frame in film
    ]


@pytest.fixture(scope="module")
def steady(film: list[np.ndarray], painted: list[np.ndarray]) -> list[np.ndarray]:
    return [(0.7 * a + 0.3 * b).astype(np.uint8) for a, b in zip(film, painted, strict=True)]


def test_every_figure_is_the_mean_over_pairs_within_shots(
    film: list[np.ndarray], painted: list[np.ndarray]
) -> None:
    flow = FlowEstimator("dis-fast")
    expected: dict[str, list[Any]] = {"rmse": [], "fav": [], "lai": [], "far": []}
    for start, stop in SHOTS:
        for now in range(start + 1, stop):
            backward, forward = flow(film[now], film[now - 1]), flow(film[now - 1], film[now])
            reliable = consistency_mask(backward, forward)
            clear = consistency_mask(forward, backward) & ~motion_boundaries(forward)
            pair = painted[now], painted[now - 1]
            expected["rmse"].append(temporal_rmse(*pair, backward, reliable))
            expected["fav"].append(fav_temporal_error(*pair, backward, reliable))
            expected["lai"].append(lai_temporal_error(*pair[::-1], forward, clear))
        for now in range(start + LONG_RANGE_FRAMES, stop):
            far = now - LONG_RANGE_FRAMES
            backward, forward = flow(film[now], film[far]), flow(film[far], film[now])
            reliable = consistency_mask(backward, forward)
            expected["far"].append(temporal_rmse(painted[now], painted[far], backward, reliable))
    result = evaluate(iter(painted), iter(film), SHOTS, flow)
    assert (result.frames, result.pairs, result.painted) == (30, 27, None)
    assert result.output.rmse == pytest.approx(np.mean(expected["rmse"]))
    assert result.output.fav == pytest.approx(np.mean(expected["fav"]))
    assert result.output.lai == pytest.approx(np.mean(expected["lai"]))
    assert result.output.long_range_rmse == pytest.approx(np.mean(expected["far"]))
    assert result.output.rmse is not None and result.output.contrast is not None
    assert result.output.flicker == result.output.rmse / result.output.contrast
    assert result.output.sharpness == pytest.approx(np.mean([sharpness(p) for p in painted]))


def test_a_steadier_result_lies_between_ceiling_and_floor(
    film: list[np.ndarray], painted: list[np.ndarray], steady: list[np.ndarray]
) -> None:
    result = evaluate(steady, film, SHOTS, FlowEstimator("dis-fast"), painted=painted)
    for name in ("rmse", "long_range_rmse", "fav", "lai", "sharpness", "contrast", "difference"):
        floor, value, ceiling = (
            getattr(figures, name) for figures in (result.film, result.output, result.painted)
        )
        assert floor < value < ceiling, name
    assert 0.5 < result.reliable_share <= 1.0


def test_the_table_names_every_figure(
    film: list[np.ndarray], painted: list[np.ndarray], steady: list[np.ndarray]
) -> None:
    result = evaluate(steady[:9], film[:9], [(0, 9)], FlowEstimator("dis-fast"), painted[:9])
    lines = format_table(result).splitlines()
    assert all(name in lines[0] for name in ("result", "frame by frame", "film"))
    assert f"{result.output.rmse:.2f}" in lines[1]
    assert f"{result.film.lai:.6f}" in lines[4]
    assert len({len(line) for line in lines[:-1]}) == 1
    assert "9 frames, 8 pairs" in lines[-1]


def test_figures_that_have_no_pairs_are_a_dash(film: list[np.ndarray]) -> None:
    result = evaluate(film[:3], film[:3], [(0, 1), (1, 2), (2, 3)], FlowEstimator("dis-fast"))
    assert result.pairs == 0 and result.output.rmse is None
    assert format_table(result).splitlines()[1].split()[-1] == "-"


def test_videos_that_do_not_belong_together_are_refused(film: list[np.ndarray]) -> None:
    flow = FlowEstimator("dis-fast")
    with pytest.raises(InputError, match="frame 3"):
        evaluate(film[:3], film[:4], [(0, 4)], flow)
    with pytest.raises(InputError, match=r"80x45 and 80x44|80x44 and 80x45"):
        evaluate([frame[:44] for frame in film[:3]], film[:3], [(0, 3)], flow)


def test_the_judge_is_not_the_filters_own_flow() -> None:
    assert judge_for("dis-medium").method == "deepflow"
    assert judge_for("farneback").method == "deepflow"
    assert judge_for("deepflow").method == "dis-medium"
