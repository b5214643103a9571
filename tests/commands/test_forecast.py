"""The simulated wavefront against the design's figures and plain bounds; which count is best."""

from dataclasses import replace

import pytest

from fastvid.commands.plan.costs import Cluster, Dealing, FrameCosts
from fastvid.commands.plan.forecast import (
    Forecast,
    best_value,
    film_seconds,
    first_frames,
    forecast,
    own_cores,
    shared_cores,
    shot_lengths,
)
from fastvid.commands.plan.simulated import dealt_segments
from fastvid.commands.plan.stretches import stretches_of
from fastvid.commands.plan.wavefront import simulate
from fastvid.parallel.segments import SegmentLengths
from fastvid.stages.overlap import Overlap

# The costs and the cluster of the design's simulated figures.
COSTS = FrameCosts(motion=0.08, paint=0.64, blend=0.008)
FRAMES = 1920


def dealing(
    segment_length: int = 4, lookahead: int = 4, hop_s: float = 0.01, preempts: bool = True
) -> Dealing:
    return Dealing(segment_length, lookahead, hop_s, preempts)


def efficiency(
    ranks: int,
    rules: Dealing,
    costs: FrameCosts = COSTS,
    slow: bool = False,
    side_share: float = 0.0,
) -> float:
    speeds = tuple(0.5 if slow and rank % 4 == 3 else 1.0 for rank in range(ranks))
    seconds = simulate([FRAMES], costs, Cluster(speeds, rules, side_share))
    return FRAMES * costs.compute / seconds / sum(speeds)


@pytest.mark.parametrize(
    "segment_length, ranks, slow, expected",
    [
        (4, 16, False, 0.99),
        (4, 64, False, 0.88),
        (4, 16, True, 0.95),
        (4, 64, True, 0.81),
        (8, 16, False, 0.99),
        (8, 64, False, 0.81),
        (8, 16, True, 0.94),
        (8, 64, True, 0.69),
        (16, 16, False, 0.93),
        (16, 64, False, 0.70),
        (16, 16, True, 0.85),
        (16, 64, True, 0.52),
    ],
)
def test_the_figures_of_the_design(
    segment_length: int, ranks: int, slow: bool, expected: float
) -> None:
    """Of segments that are as long at the end of the film as before; shorter ones are no worse."""
    rules = dealing(segment_length)
    equal = efficiency(ranks, replace(rules, shorter_at_end=False), slow=slow)
    assert equal == pytest.approx(expected, abs=0.03)
    assert efficiency(ranks, rules, slow=slow) > equal - 0.005


def test_ranks_end_together_on_a_short_film() -> None:
    """Of 280 frames 16 ranks have 17.5 each: the last segment of four is a quarter of that."""
    equal, shorter = (
        280 * COSTS.compute / 16 / simulate([280], COSTS, own_cores(16, 1, rules))
        for rules in (replace(dealing(), shorter_at_end=False), dealing())
    )
    assert equal < 0.88 and shorter > 0.94


def test_without_preemption_a_boundary_waits_for_the_end_of_a_step() -> None:
    patient, urgent = (efficiency(64, dealing(preempts=preempts)) for preempts in (False, True))
    assert patient < urgent - 0.1


@pytest.mark.parametrize("shots", [[1], [23], [12, 1, 17], [5] * 9])
@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_no_job_beats_the_work_or_the_critical_path(shots: list[int], ranks: int) -> None:
    seconds = simulate(shots, COSTS, own_cores(ranks, 1, dealing(preempts=False)))
    frames, pairs = sum(shots), sum(shots) - len(shots)
    work = frames * COSTS.paint + pairs * (COSTS.motion + COSTS.blend)
    longest = (max(shots) - 1) * COSTS.blend + COSTS.paint
    assert seconds >= max(work / ranks, longest) - 1e-9
    assert seconds <= work + 0.2  # some hops at most


@pytest.mark.parametrize("threads", [1, 2])
def test_one_rank_takes_the_sum_of_everything(threads: int) -> None:
    costs = FrameCosts(
        0.05, 0.3, 0.003, decode=0.004, store=0.002, encode=0.02, deal=0.0005, fetch=0.0005
    )
    seconds = simulate([200], costs, own_cores(1, threads, dealing(hop_s=0.0)))
    expected = 200 * (costs.compute + costs.side / threads)
    assert seconds == pytest.approx(expected, rel=0.02)


def test_a_spare_core_takes_over_what_rank_0_does_besides() -> None:
    costs = FrameCosts(0.05, 0.3, 0.003, encode=0.05)
    alone = simulate([200], costs, shared_cores(1, 1, 1, dealing(hop_s=0.0)))
    spare = simulate([200], costs, shared_cores(1, 1, 2, dealing(hop_s=0.0)))
    assert alone == pytest.approx(200 * (costs.compute + costs.side), rel=0.02)
    assert spare == pytest.approx(200 * costs.compute, rel=0.02)


def test_ranks_that_share_cores_are_no_faster() -> None:
    two, eight = (
        film_seconds([100], COSTS, shared_cores(ranks, 1, 2, dealing())) for ranks in (2, 8)
    )
    assert eight == two
    halved = film_seconds([100], COSTS, shared_cores(1, 4, 2, dealing()))
    assert halved == pytest.approx(2 * film_seconds([100], COSTS, own_cores(1, 4, dealing())))


@pytest.mark.parametrize(
    "costs, limit_s",
    [
        (FrameCosts(0.01, 0.02, 0.001, store=0.1), 0.1),
        (FrameCosts(0.01, 0.02, 0.001, decode=0.1), 0.1),
        (FrameCosts(0.01, 0.02, 0.001, decode=0.05, store=0.05), 0.10),
        (FrameCosts(0.01, 0.02, 0.001, decode=0.05, encode=0.1, shares_encoding=False), 0.15),
    ],
)
def test_rank_0_can_hold_up_everyone(costs: FrameCosts, limit_s: float) -> None:
    seconds = simulate([FRAMES // 4], costs, own_cores(32, 1, dealing()))
    assert seconds == pytest.approx(FRAMES // 4 * limit_s, rel=0.05)


def test_shots_do_not_wait_for_each_other() -> None:
    rules = dealing(16, preempts=False)
    uncut = simulate([640], COSTS, own_cores(32, 1, rules))
    cut = simulate([20] * 32, COSTS, own_cores(32, 1, rules))
    assert cut < uncut


def test_a_long_film_goes_on_at_its_pace() -> None:
    cluster = own_cores(4, 1, dealing())
    whole = simulate([2000, 3000], COSTS, cluster)
    assert film_seconds([2000, 3000], COSTS, cluster) == pytest.approx(whole, rel=0.01)
    assert film_seconds([10**7], COSTS, cluster) == pytest.approx(10**7 * 0.728 / 4, rel=0.02)


def test_the_start_counts() -> None:
    cluster = own_cores(2, 3, dealing())
    without, with_start = (
        forecast([50], COSTS, cluster, threads=3, start_s=start) for start in (0.0, 10.0)
    )
    assert with_start.seconds == without.seconds + 10
    assert with_start.efficiency == pytest.approx(50 * COSTS.compute / 2 / with_start.seconds)
    assert with_start.core_hours == pytest.approx(6 * with_start.seconds / 3600)


def test_segments_never_cross_a_cut_and_none_is_dropped() -> None:
    found = [
        (one.start, one.length, one.begins_shot)
        for one in dealt_segments([5, 1, 4], SegmentLengths(4))
    ]
    assert found == [(0, 4, True), (4, 1, False), (5, 1, True), (6, 4, True)]


def test_segments_are_as_short_as_they_are_dealt() -> None:
    """Two ranks: longer by one every four frames; at the end a third of what is left."""
    lengths = [one.length for one in dealt_segments([12, 1, 9], SegmentLengths(4, 22, 2))]
    assert lengths == [1, 1, 1, 1, 2, 2, 3, 1, 1, 3, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(
    "cuts, lengths", [([], [10]), ([3], [3, 7]), ([9, 0, 3, 3], [3, 6, 1]), ([10, 12], [10])]
)
def test_the_lengths_of_shots(cuts: list[int], lengths: list[int]) -> None:
    assert shot_lengths(10, cuts) == lengths


def test_the_first_frames_of_shots() -> None:
    assert first_frames([5, 5, 5], 7) == [5, 2]
    assert first_frames([5, 5], 10) == [5, 5]


def counts(*pairs: tuple[int, float]) -> list[Forecast]:
    """Forecasts of (ranks, efficiency) for work of 100 seconds."""
    return [
        Forecast(ranks, 100 / ranks / share, share, 100 / share / 3600) for ranks, share in pairs
    ]


@pytest.mark.parametrize(
    "forecasts, ranks, word",
    [
        (counts((4, 0.99), (16, 0.85), (64, 0.5)), 16, "64 ranks take"),
        (counts((64, 0.81), (4, 0.99)), 64, "efficiency"),
        (counts((8, 0.7), (64, 0.3), (128, 0.1)), 64, "product"),
        (counts((1, 0.5)), 1, "product"),
    ],
)
def test_the_best_value_is_the_most_ranks_that_work_well(
    forecasts: list[Forecast], ranks: int, word: str
) -> None:
    best, reason = best_value(forecasts)
    assert best.ranks == ranks and word in reason


def test_stretches_of_a_recurrent_model() -> None:
    """All are computed at once, and then all are corrected: 120 + 8 + 16 of 1920 frames."""
    costs = FrameCosts(motion=0.0, paint=0.0, blend=2.0)
    overlap = Overlap(segment=120, warm_up=8, recompute=16, fade=8)
    rules = Dealing(4, 2, hop_s=0.0, overlap=overlap)
    assert stretches_of([1920], overlap) == [(120, False)] + 15 * [(120, True)]
    assert stretches_of([100, 264, 265], overlap) == [
        (100, False),
        (120, False),
        (144, True),
        (120, False),
        (120, True),
        (25, True),
    ]
    seconds = film_seconds([1920], costs, own_cores(16, 1, rules))
    assert seconds == 144 * 2.0
    assert film_seconds([1920], costs, own_cores(1, 1, rules)) == (1920 + 15 * 24) * 2.0
    # Twenty stretches on sixteen ranks: four of them begin when the first rank is free.
    assert film_seconds([2400], costs, own_cores(16, 1, rules)) == 2 * 288.0


def test_parts_are_encoded_by_the_ranks() -> None:
    """An encoder that takes ten times as long as eight ranks together: they do it besides."""
    costs = FrameCosts(0.05, 0.34, 0.01, encode=0.5)
    rules = replace(dealing(), part_frames=24)
    shared, alone = (
        simulate([2400], replace(costs, shares_encoding=shares), own_cores(8, 1, rules))
        for shares in (True, False)
    )
    assert alone == pytest.approx(2400 * 0.5, rel=0.02)
    assert shared == pytest.approx(2400 * 0.9 / 8, rel=0.05)


def test_what_rank_0_can_encode_besides_stays_with_it() -> None:
    costs = FrameCosts(0.05, 0.34, 0.01, encode=0.02)
    seconds = simulate([2400], costs, own_cores(4, 1, dealing()))
    assert seconds == pytest.approx(2400 * 0.42 / 4, rel=0.02)


@pytest.mark.parametrize(("part_frames", "longest"), [(24, 24), (240, 280 // 4)])
def test_a_short_film_ends_with_its_last_parts(part_frames: int, longest: int) -> None:
    costs = FrameCosts(0.05, 0.34, 0.01, encode=0.05)
    rules = replace(dealing(), part_frames=part_frames)
    seconds = simulate([280], costs, own_cores(64, 1, rules))
    assert longest * costs.encode < seconds < (longest + 40) * costs.encode + 3.0


def test_a_part_is_encoded_by_one_rank() -> None:
    costs = FrameCosts(0.05, 0.34, 0.01, encode=0.5)
    assert costs.encoding_left(60.0, ranks=64, part_frames=240) == 60.0
    assert costs.encoding_left(1200.0, ranks=64, part_frames=240) == 240 * 0.5
    assert costs.encoding_left(12000.0, ranks=64, part_frames=240) == 12000.0 / 64
