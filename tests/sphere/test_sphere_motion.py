"""Flow of a camera that turns, against the truth; and what the temporal filter makes of it."""

import numpy as np
import pytest

from fastvid.commands.clip.sphere import SphereClip
from fastvid.motion.occlusion import consistency_mask, shrink
from fastvid.motion.source import EstimatedMotion
from fastvid.motion.warp import sample, sampling_map
from fastvid.sphere.motion import SphereMotion
from fastvid.sphere.projection import Sphere
from fastvid.stages.eyes import EyesStep, plan_filter
from fastvid.stages.temporal import plan_step, trust_gate

WIDTH, HEIGHT = 512, 256
SPHERE = Sphere("equirect")
ESTIMATED = EstimatedMotion("dis-medium", 1.0, False)


@pytest.fixture(scope="module")
def fast() -> tuple[SphereClip, np.ndarray, np.ndarray]:
    """A camera that turns by 7 and 3 degrees a frame, and two of its frames."""
    clip = SphereClip(WIDTH, HEIGHT, frame_count=8, turn=7.0, tilt=3.0)
    return clip, clip.frame(3), clip.frame(4)


def off(flow: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Where flow is wrong by more than a pixel, as it is seen on the sphere: (H, W) bool."""
    apart = flow - truth
    apart[..., 0] -= WIDTH * np.rint(apart[..., 0] / WIDTH)
    latitude = np.pi / 2 - (np.arange(HEIGHT) + 0.5) * np.pi / HEIGHT
    apart[..., 0] *= np.cos(latitude)[:, None]
    wrong: np.ndarray = np.hypot(apart[..., 0], apart[..., 1]) > 1
    return wrong


def test_a_known_turn(fast: tuple[SphereClip, np.ndarray, np.ndarray]) -> None:
    clip, before, now = fast
    truth = clip.flow(4, 3)
    flow, reliable = SphereMotion(SPHERE, ESTIMATED)(now, before, 4)
    assert flow.shape == (HEIGHT, WIDTH, 2) and reliable.shape == (HEIGHT, WIDTH)
    assert (np.abs(flow[..., 0]) <= WIDTH / 2).all()
    seam = [*range(8), *range(WIDTH - 8, WIDTH)]
    rows = slice(HEIGHT // 4, -HEIGHT // 4)
    polar = [*range(HEIGHT // 12), *range(HEIGHT - HEIGHT // 12, HEIGHT)]
    wrong = off(flow, truth)
    assert wrong[rows, seam].mean() <= 0.01 and wrong[polar].mean() <= 0.05
    flat = off(ESTIMATED(now, before, 4)[0], truth)
    assert flat[rows, seam].mean() > 0.05 and flat[polar].mean() > 0.3
    assert reliable[rows, seam].mean() > 0.8 and reliable[polar].mean() > 0.8


def test_two_eyes_are_followed_each_by_itself(
    fast: tuple[SphereClip, np.ndarray, np.ndarray],
) -> None:
    _, before, now = fast
    alone = SphereMotion(SPHERE, ESTIMATED)
    one, other = alone(now, before, 1), alone(before, now, 1)
    both = SphereMotion(Sphere("equirect", "left-right"), ESTIMATED)
    flow, reliable = both(np.hstack([now, before]), np.hstack([before, now]), 1)
    np.testing.assert_array_equal(flow, np.hstack([one[0], other[0]]))
    np.testing.assert_array_equal(reliable, np.hstack([one[1], other[1]]))


def rolled(array: np.ndarray, columns: int) -> np.ndarray:
    return np.ascontiguousarray(np.roll(array, columns, axis=1))


def test_the_filter_does_not_know_where_the_back_is() -> None:
    """Turned inputs give the turned result, to the bit."""
    rng = np.random.default_rng(3)
    frame, previous, painted, finished = rng.integers(0, 256, (4, 32, 64, 3), np.uint8)
    flow = rng.uniform(-40, 40, (32, 64, 2)).astype(np.float32)
    # Whole quarters, so that adding the column is exact everywhere.
    flow = (np.rint(flow * 4) / 4).astype(np.float32)
    reliable = rng.random((32, 64)) < 0.7
    result = plan_filter(frame, previous, flow, reliable, 0.85, SPHERE).apply(painted, finished)
    now, before = rolled(frame, 21), rolled(previous, 21)
    step = plan_filter(now, before, rolled(flow, 21), rolled(reliable, 21), 0.85, SPHERE)
    turned = step.apply(rolled(painted, 21), rolled(finished, 21))
    np.testing.assert_array_equal(turned, rolled(result, 21))
    flat = plan_filter(frame, previous, flow, reliable, 0.85, None).apply(painted, finished)
    assert not np.array_equal(result, flat)


def test_each_eye_is_filtered_by_itself() -> None:
    rng = np.random.default_rng(4)
    frame, previous, painted, finished = rng.integers(0, 256, (4, 16, 64, 3), np.uint8)
    flow = rng.uniform(-9, 9, (16, 64, 2)).astype(np.float32)
    reliable = rng.random((16, 64)) < 0.7
    half = Sphere("half-equirect", "left-right")
    step = plan_filter(frame, previous, flow, reliable, 0.85, half)
    assert isinstance(step, EyesStep)
    result = step.apply(painted, finished)
    for columns in (slice(0, 32), slice(32, 64)):
        now, before = frame[:, columns].copy(), previous[:, columns].copy()
        its_flow, trusted = flow[:, columns].copy(), reliable[:, columns].copy()
        gate = trust_gate(now, before, its_flow, trusted, 0.85)
        alone = plan_step(its_flow, gate).apply(painted[:, columns], finished[:, columns])
        np.testing.assert_array_equal(result[:, columns], alone)


def test_sampling_and_masks_go_around() -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (8, 16), np.uint8)
    around = np.full((8, 16, 2), [5.0, 0.0], np.float32)
    moved = sample(image, sampling_map(around, wrap=True), wrap=True)
    np.testing.assert_array_equal(moved, np.roll(image, -5, axis=1))
    further = around + np.array([10.5, 0], np.float32)
    between = sample(image, sampling_map(further, wrap=True), wrap=True)
    expected = (np.roll(image, -15, axis=1).astype(int) + np.roll(image, -16, axis=1)) / 2
    assert np.abs(between - expected).max() <= 0.5
    mask = np.ones((8, 16), bool)
    mask[4, 0] = False
    assert not shrink(mask, 3, wrap=True)[3:6, [15, 0, 1]].any()
    assert consistency_mask(around, -around, wrap=True)[:-1].all()
