"""Weights, looks and composing against what they promise."""

import itertools

import cv2
import numpy as np
import pytest

from fastvid.regions.compose import compose, dampened, same_look
from fastvid.regions.guided import guided_filter
from fastvid.regions.looks import lay_out
from fastvid.regions.planes import scaled
from fastvid.regions.weights import feathered, ground_weight, grown, region_weights
from support.mask_files import grey_mask, settled

SHAPE = (48, 64)
RNG = np.random.default_rng(5)
IMAGE = RNG.integers(0, 256, (*SHAPE, 3), np.uint8)


def test_later_regions_lie_over_earlier_ones() -> None:
    below, above = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    below[:, :40], above[:, 30:] = 255, 255
    weights = region_weights(IMAGE, [below, above], [settled(), settled()])
    assert np.array_equal(weights[1], above)
    assert np.array_equal(weights[0], np.where(above > 0, 0, below))
    assert not ground_weight(weights, SHAPE).any()


@pytest.mark.parametrize("feather", [0.0, 0.4, 1.0, 2.0, 3.7, 9.0])
def test_two_halves_leave_nothing_of_the_ground(feather: float) -> None:
    mask = np.where(RNG.random(SHAPE) < 0.5, np.uint8(255), np.uint8(0))
    regions = [settled(feather=feather), settled(feather=feather)]
    weights = region_weights(IMAGE, [mask, 255 - mask], regions)
    assert not ground_weight(weights, SHAPE).any()
    assert feathered(np.full(SHAPE, 255, np.uint8), feather).min() == 255


def test_edges_reach_as_far_as_said() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 32:] = 255
    soft = feathered(mask, 3.0)
    assert not soft[:, :29].any() and soft[:, 35:].min() == 255
    assert (np.diff(soft[10, 28:36].astype(int)) >= 0).all() and 0 < soft[10, 31] < 128
    assert np.array_equal(grown(mask, 4.0)[10] > 0, np.arange(64) >= 28)
    assert np.array_equal(grown(mask, -4.0)[10] > 0, np.arange(64) >= 36)


def test_a_refined_edge_follows_the_picture() -> None:
    rows, columns = np.mgrid[0:96, 0:128]
    true = (rows - 48) ** 2 + (columns - 64) ** 2 < 30**2
    inside, outside = np.array([200, 60, 40], np.uint8), np.array([40, 90, 180], np.uint8)
    image = np.where(true[..., None], inside, outside)
    small = cv2.resize(np.uint8(255) * true.astype(np.uint8), (32, 24))
    small = np.where(small > 127, np.uint8(255), np.uint8(0))
    blocks = scaled(small, 128, 96)
    refined = guided_filter(image, blocks)
    assert ((blocks > 127) != true).sum() > 4 * ((refined > 127) != true).sum()
    assert np.array_equal(refined[:5], blocks[:5])
    for level in (0, 255):
        plain = np.full(true.shape, level, np.uint8)
        assert np.array_equal(guided_filter(image, plain), plain)


def test_composing_is_the_mean_weighted_by_the_shares() -> None:
    painted = {look: RNG.integers(0, 256, IMAGE.shape, np.uint8) for look in range(3)}
    first = RNG.integers(0, 256, SHAPE, np.uint8)
    second = np.minimum(RNG.integers(0, 256, SHAPE, np.uint8), 255 - first)
    first[:5], second[:5] = 0, 0
    first[5:9], second[5:9] = 255, 0
    made = compose(IMAGE, painted, {0: first, 2: second})
    one, two = (share[..., None].astype(float) / 255 for share in (first, second))
    exact = one * painted[0] + two * painted[2] + (1 - one - two) * IMAGE
    assert np.abs(made - exact).max() <= 0.5 + 1e-9
    assert np.array_equal(made[:5], IMAGE[:5])
    assert np.array_equal(made[5:9], painted[0][5:9])
    assert np.array_equal(compose(IMAGE, painted, {}), IMAGE)


def test_equal_looks_are_one() -> None:
    regions = [
        settled(sha256="aa"),
        settled(sha256=""),
        settled(sha256="bb", strength=0.5),
        settled(sha256="aa"),
    ]
    layout = lay_out(regions, [("aa", 1.0, False), ("bb", 1.0, False), ("", 1.0, False)])
    assert [(look.style_sha256, look.strength) for look in layout.looks] == [
        ("aa", 1.0),
        ("bb", 1.0),
        ("bb", 0.5),
    ]
    weights = [np.full(SHAPE, share, np.uint8) for share in (10, 20, 30, 40)]
    shares = [layout.shares(weights, output) for output in range(3)]
    assert [{look: int(share[0, 0]) for look, share in one.items()} for one in shares] == [
        {0: 205, 2: 30},
        {0: 50, 2: 30, 1: 155},
        {0: 50, 2: 30},
    ]


def test_the_gate_closes_where_the_look_was_another() -> None:
    positions = np.dstack(np.meshgrid(np.arange(64.0), np.arange(48.0))).astype(np.float32)
    positions[..., 0] -= 3.5
    now, before = grey_mask(), np.roll(grey_mask(), 5, axis=1)
    factor = same_look({0: now, 1: 255 - now}, {0: before, 2: 255 - before}, positions)
    assert factor is not None
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    eroded = cv2.erode(before, cross).astype(int)
    for row, column in itertools.product(range(48), range(4, 64)):
        left = eroded[row, column - 4] + eroded[row, column - 3]
        assert abs(int(factor[row, column]) - min(int(now[row, column]), left / 2)) <= 1
    gate = RNG.integers(0, 113, SHAPE).astype(np.int16)
    assert np.array_equal(dampened(gate, factor), gate.astype(int) * factor // 255)
    white = np.full(SHAPE, 255, np.uint8)
    assert same_look({0: white}, {0: white}, positions) is None
