"""The masks against plain loops, and against true occlusions."""

import cv2
import numpy as np
import pytest

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import (
    consistency_mask,
    motion_boundaries,
    network_mask,
    reliable_mask,
    shrink,
)

# Closer to a threshold than this, float32 and float64 may decide differently.
MARGIN = 1e-4


def oracle_consistency(flow: np.ndarray, opposite: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mask, gap to the threshold) by the definition, pixel by pixel in float64."""
    height, width = flow.shape[:2]
    mask, gap = np.zeros((height, width), bool), np.full((height, width), np.inf)
    for row in range(height):
        for column in range(width):
            u, v = (float(component) for component in flow[row, column])
            x, y = column + u, row + v
            left, top = int(np.floor(x)), int(np.floor(y))
            if left < 0 or top < 0 or left + 1 > width - 1 or top + 1 > height - 1:
                continue
            a, b = x - left, y - top
            four = opposite[top : top + 2, left : left + 2].astype(np.float64)
            back = (1 - b) * ((1 - a) * four[0, 0] + a * four[0, 1])
            back += b * ((1 - a) * four[1, 0] + a * four[1, 1])
            sides = (u + back[0]) ** 2 + (v + back[1]) ** 2
            bound = 0.01 * (u * u + v * v + back @ back) + 0.5
            mask[row, column], gap[row, column] = sides < bound, abs(sides - bound)
    return mask, gap


def oracle_boundaries(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = flow.shape[:2]
    mask, gap = np.zeros((height, width), bool), np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            right, left = min(column + 1, width - 1), max(column - 1, 0)
            below, above = min(row + 1, height - 1), max(row - 1, 0)
            along_x = (flow[row, right].astype(np.float64) - flow[row, left]) / 2
            along_y = (flow[below, column].astype(np.float64) - flow[above, column]) / 2
            change = along_x @ along_x + along_y @ along_y
            here = flow[row, column].astype(np.float64)
            bound = 0.01 * (here @ here) + 0.002
            mask[row, column], gap[row, column] = change > bound, abs(change - bound)
    return mask, gap


def flows(shape: tuple[int, int], seed: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    smooth = [
        cv2.GaussianBlur(rng.normal(0, scale, shape).astype(np.float32), (0, 0), 1.5)
        for _ in range(2)
    ]
    flow = np.dstack(smooth)
    return flow, (-flow + rng.normal(0, 0.6, flow.shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(37, 53), (2, 9), (1, 12), (12, 1), (16, 16)])
@pytest.mark.parametrize("scale", [0.4, 20.0])
def test_masks_follow_the_definition(shape: tuple[int, int], scale: float) -> None:
    flow, opposite = flows(shape, 5, scale)
    expected, gap = oracle_consistency(flow, opposite)
    sure = gap > MARGIN
    assert np.array_equal(consistency_mask(flow, opposite)[sure], expected[sure])
    expected, gap = oracle_boundaries(flow)
    sure = gap > MARGIN
    assert sure.mean() > 0.9
    assert np.array_equal(motion_boundaries(flow)[sure], expected[sure])


def test_the_examples_decide_both_ways() -> None:
    flow, opposite = flows((37, 53), 5, 0.4)
    for mask in (consistency_mask(flow, opposite), motion_boundaries(flow)):
        assert 0.05 < mask.mean() < 0.95


def test_the_last_row_and_column_count_as_outside() -> None:
    still = np.zeros((5, 6, 2), np.float32)
    expected = np.zeros((5, 6), bool)
    expected[:4, :5] = True
    assert np.array_equal(consistency_mask(still, still), expected)


def test_boundaries_count_as_unreliable_only_on_demand() -> None:
    flow, opposite = flows((40, 40), 7, 1.0)
    consistent, edges = consistency_mask(flow, opposite), motion_boundaries(flow)
    assert (consistent & edges).any()
    assert np.array_equal(reliable_mask(flow, opposite, False), consistent)
    assert np.array_equal(reliable_mask(flow, opposite, True), consistent & ~edges)


def test_minimum_filters_reach_as_far_as_their_window() -> None:
    mask = np.ones((15, 17), bool)
    mask[7, 8] = False
    expected = np.ones((15, 17), bool)
    expected[6:9, 7:10] = False
    assert np.array_equal(shrink(mask, 3), expected)
    expected[4:11, 5:12] = False
    assert np.array_equal(network_mask(mask), expected.astype(np.float32))


@pytest.mark.parametrize("index", [10, 40, 70])
def test_exact_flow_finds_the_true_occlusions(index: int) -> None:
    clip = SyntheticClip(640, 360, 96)
    hidden = clip.occlusion(index)
    backward, forward = clip.backward_flow(index), clip.forward_flow(index - 1)
    unreliable = ~consistency_mask(backward, forward)
    assert 0.005 < hidden.mean() < 0.1
    # Thin things that move by under a pixel hide what the test can't see.
    assert (unreliable & hidden).sum() > 0.8 * hidden.sum()
    assert (unreliable & hidden).sum() > 0.7 * unreliable.sum()


def test_estimated_flow_finds_what_a_large_thing_hides() -> None:
    rng = np.random.default_rng(3)
    ground = np.dstack([cv2.GaussianBlur(rng.uniform(0, 255, (160, 200)), (0, 0), 1.5)] * 3)
    ground = cv2.normalize(ground, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    thing = ground[::-1, ::-1][40:110, 40:110] // 2 + np.array([100, 20, 0], np.uint8)
    step_px = 10
    before, after = ground.copy(), ground.copy()
    before[40:110, 60:130] = thing
    after[40:110, 60 + step_px : 130 + step_px] = thing
    hidden = np.zeros((160, 200), bool)
    hidden[40:110, 60 : 60 + step_px] = True
    estimator = FlowEstimator()
    backward, forward = estimator(after, before), estimator(before, after)
    unreliable = ~consistency_mask(backward, forward)
    unreliable[-1], unreliable[:, -1] = False, False
    assert (unreliable & hidden).sum() > 0.7 * hidden.sum()
    near = cv2.dilate(hidden.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert (unreliable & near).sum() > 0.5 * unreliable.sum()
