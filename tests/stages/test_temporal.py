"""The temporal filter against its definition in plain NumPy, and what it promises."""

import itertools

import cv2
import numpy as np
import pytest

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.evaluate.metrics import temporal_rmse
from fastvid.errors import InputError
from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import consistency_mask
from fastvid.motion.warp import warp
from fastvid.stages.temporal import (
    DEFAULT_STRENGTH,
    MAX_STRENGTH,
    TemporalStep,
    blend,
    plan_step,
    trust_gate,
)


def oracle_gate(
    frame: np.ndarray,
    previous_frame: np.ndarray,
    backward: np.ndarray,
    reliable: np.ndarray,
    strength: float,
) -> np.ndarray:
    """g_i by its definition, pixel by pixel in float64."""
    moved = warp(previous_frame, backward).astype(np.float64)
    height, width = reliable.shape
    rough = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            window = reliable[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            error = np.mean((frame[row, column] - moved[row, column]) ** 2)
            x, y = column + backward[row, column, 0], row + backward[row, column, 1]
            stays = 0 <= x <= width - 1 and 0 <= y <= height - 1
            trust = 1.0 if window.all() else 0.6 * stays
            rough[row, column] = strength * trust * np.exp(-error / (2 * 12.0**2))
    padded = np.pad(rough, 1, "edge")
    shifted = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.asarray(sum(shifted) / 9)


def oracle_step(
    painted: np.ndarray,
    previous_output: np.ndarray,
    backward: np.ndarray,
    gate: np.ndarray,
    sharpen: float,
) -> np.ndarray:
    """S_i in whole numbers, as the docstring of TemporalStep.apply defines it."""
    height, width = gate.shape
    moved = warp(previous_output, backward).astype(int)
    padded = np.pad(moved, ((1, 1), (1, 1), (0, 0)), "edge")
    along_x = 2 * moved - padded[1:-1, :-2] - padded[1:-1, 2:]
    along_y = 2 * moved - padded[:-2, 1:-1] - padded[2:, 1:-1]
    grid = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    # Two pixels outside the frame the replicated border looks like anywhere further out.
    positions = np.clip(grid + backward, -2, np.array([width + 1, height + 1], np.float32))
    fraction = positions - np.floor(positions)
    weight = np.float32(0.5 * sharpen * 128)
    factor = np.floor(fraction * (1 - fraction) * weight + np.float32(0.5)).astype(int)
    extra = factor[..., :1] * along_x + factor[..., 1:] * along_y
    sharp = np.clip(moved + (extra + 64) // 128, 0, 255)
    share = np.floor(gate * np.float32(128)).astype(int)[..., None]
    return np.asarray((painted + np.trunc(share * (sharp - painted) / 128)).astype(np.uint8))


def random_step(shape: tuple[int, int], seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    painted, previous = rng.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    backward = rng.normal(0, 3, (*shape, 2)).astype(np.float32)
    gate = rng.uniform(0, DEFAULT_STRENGTH, shape).astype(np.float32)
    return painted, previous, backward, gate


@pytest.mark.parametrize("shape", [(37, 53), (16, 16), (1, 20), (20, 1)])
@pytest.mark.parametrize("sharpen", [0.0, 1.0, 1.5, 2.0])
def test_the_step_is_exactly_its_definition(shape: tuple[int, int], sharpen: float) -> None:
    painted, previous, backward, gate = random_step(shape, 1)
    expected = oracle_step(painted, previous, backward, gate, sharpen)
    inputs = painted.copy(), previous.copy()
    result = blend(painted, previous, backward, gate, sharpen)
    assert result.dtype == np.uint8 and result.shape == painted.shape
    assert np.array_equal(result, expected)
    assert np.array_equal(painted, inputs[0]) and np.array_equal(previous, inputs[1])


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("reach_px", [0.0, 3.0, 40.0])
@pytest.mark.parametrize("rows", [1, 7, 36])
def test_some_rows_at_a_time_are_the_same(rows: int, reach_px: float, wrap: bool) -> None:
    """Whatever lies below the rows of the past that are needed; some pixels keep nothing."""
    painted, previous, backward, gate = random_step((37, 53), 4)
    backward *= np.float32(reach_px / 3)
    gate[10:20] = 0
    gate[:, 30:] *= np.random.default_rng(1).random((37, 23)) > 0.5
    step = plan_step(backward, gate, wrap=wrap)
    expected, found = step.apply(painted, previous), np.empty_like(painted)
    needs = []
    for first in range(0, 37, rows):
        stop = min(37, first + rows)
        needs.append(step.rows_needed(first, stop))
        known = previous.copy()
        known[needs[-1] :] = 255 - known[needs[-1] :]
        step.apply_rows(painted, known, first, stop, found)
    assert np.array_equal(found, expected)
    if reach_px < 10 and rows < 36:
        assert needs[0] < 37 and max(needs) == 37
    if rows == 1 and not wrap:
        assert needs[12] == 2  # nothing of the past is kept there: two rows are the least


def test_extreme_colours_stay_within_16_bits() -> None:
    """Checkerboards of black and white have the largest second differences there are."""
    board = np.indices((24, 24)).sum(axis=0) % 2 * np.uint8(255)
    previous = np.dstack([board] * 3).astype(np.uint8)
    for painted in (255 - previous, np.zeros_like(previous), np.full_like(previous, 255)):
        for offset in (0.0, 0.02, 0.25, 0.5):
            backward = np.full((24, 24, 2), offset, np.float32)
            gate = np.full((24, 24), 0.99, np.float32)
            expected = oracle_step(painted, previous, backward, gate, 2.0)
            assert np.array_equal(blend(painted, previous, backward, gate, 2.0), expected)


def test_the_gate_is_its_definition() -> None:
    clip = SyntheticClip(96, 54, 96)
    frame, before = clip.frame(70), clip.frame(69)
    backward = FlowEstimator()(frame, before)
    reliable = consistency_mask(backward, FlowEstimator()(before, frame))
    # Some of it points out of the frame, some of it does not.
    reliable[20:30, 40:60] = False
    assert 0.02 < (~reliable).mean() < 0.5
    gate = trust_gate(frame, before, backward, reliable, 0.8)
    assert gate.dtype == np.float32 and gate.min() >= 0 and gate.max() <= np.float32(0.8)
    assert np.abs(gate - oracle_gate(frame, before, backward, reliable, 0.8)).max() < 1e-4


def test_inconsistent_flow_is_trusted_in_part_inside_the_frame_alone() -> None:
    frame = np.full((20, 30, 3), 90, np.uint8)
    backward = np.full((20, 30, 2), (10, 0), np.float32)
    gate = trust_gate(frame, frame, backward, np.zeros((20, 30), bool), 0.8)
    assert np.allclose(gate[:, :18], 0.6 * 0.8, atol=1e-6)
    assert not gate[:, 22:].any()


def test_the_paint_at_the_borders_of_a_still_is_steadied() -> None:
    """The consistency test counts the last row and column of a still as outside."""
    frame = np.full((20, 30, 3), 90, np.uint8)
    still = np.zeros((20, 30, 2), np.float32)
    gate = trust_gate(frame, frame, still, consistency_mask(still, still), 0.8)
    assert gate.min() > 0.4


def test_no_strength_is_frame_by_frame() -> None:
    painted, previous, backward, _ = random_step((20, 30), 2)
    closed = trust_gate(painted, previous, backward, np.ones((20, 30), bool), 0.0)
    assert np.array_equal(blend(painted, previous, backward, closed), painted)


@pytest.mark.parametrize("strength", [-0.1, 0.89, 1.0, float("nan")])
def test_a_strength_that_never_forgets_is_refused(strength: float) -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(InputError, match="strength"):
        trust_gate(frame, frame, np.zeros((4, 4, 2), np.float32), np.ones((4, 4), bool), strength)


def test_frames_of_another_size_are_refused() -> None:
    painted, previous, backward, gate = random_step((8, 9), 3)
    step = plan_step(backward, gate)
    with pytest.raises(ValueError, match="painted"):
        step.apply(painted[:7], previous)
    with pytest.raises(ValueError, match="previous"):
        step.apply(painted, previous.astype(np.float32))
    with pytest.raises(ValueError, match="gate"):
        plan_step(backward, gate[:7])


def filmed(
    start: int, count: int, still: bool = False
) -> tuple[SyntheticClip, list[np.ndarray], list[TemporalStep]]:
    """(clip, frames, steps) of a part of the generated clip, the filter's flow estimated.

    still: the first frame again and again.
    """
    clip = SyntheticClip(192, 108, 96)
    frames = [clip.frame(start + (0 if still else number)) for number in range(count)]
    estimator = FlowEstimator()
    steps = []
    for before, frame in itertools.pairwise(frames):
        backward = estimator(frame, before)
        reliable = consistency_mask(backward, estimator(before, frame))
        steps.append(
            plan_step(backward, trust_gate(frame, before, backward, reliable, DEFAULT_STRENGTH))
        )
    return clip, frames, steps


def flickering(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Frames painted by a style that flickers: strokes that are new in every frame."""
    rng = np.random.default_rng(9)
    painted = []
    for frame in frames:
        strokes = cv2.GaussianBlur(rng.normal(0, 60, frame.shape), (0, 0), 1.2)
        painted.append(np.clip(0.7 * frame + 40 + strokes, 0, 255).astype(np.uint8))
    return painted


def run_filter(
    first: np.ndarray, painted: list[np.ndarray], steps: list[TemporalStep]
) -> list[np.ndarray]:
    results = [first]
    for step, image in zip(steps, painted[1:], strict=True):
        results.append(step.apply(image, results[-1]))
    return results


@pytest.mark.parametrize("start", [0, 64])
def test_the_filter_more_than_halves_the_temporal_error(start: int) -> None:
    clip, frames, steps = filmed(start, 14)
    painted = flickering(frames)
    results = run_filter(painted[0], painted, steps)
    errors: dict[str, list[float]] = {"painted": [], "result": []}
    for number in range(4, 14):
        backward = clip.backward_flow(start + number)
        seen = ~clip.occlusion(start + number)
        for name, images in (("painted", painted), ("result", results)):
            error = temporal_rmse(images[number], images[number - 1], backward, seen)
            assert error is not None
            errors[name].append(error)
    assert np.mean(errors["painted"]) > 10
    assert np.mean(errors["result"]) < 0.5 * np.mean(errors["painted"])


@pytest.mark.parametrize("start, still", [(32, False), (64, False), (0, True)])
def test_a_wrong_first_frame_is_forgotten(start: int, still: bool) -> None:
    _, frames, steps = filmed(start, 25, still)
    painted = flickering(frames)
    one = run_filter(painted[0], painted, steps)
    other = run_filter(255 - painted[0], painted, steps)
    apart = [np.abs(a.astype(int) - b).mean() for a, b in zip(one, other, strict=True)]
    assert apart[0] > 50
    assert apart[24] < 1.0


@pytest.mark.parametrize("offset", [0.0, 0.5, 0.25])
def test_two_histories_meet_at_the_greatest_strength(offset: float) -> None:
    """The worst case: white noise, all of it trusted, the same fraction of a pixel every time."""
    rng = np.random.default_rng(4)
    painted, first, second = rng.integers(0, 256, (3, 40, 48, 3), dtype=np.uint8)
    gate = np.full((40, 48), MAX_STRENGTH, np.float32)
    for number in range(200):
        # To and fro, so that the borders don't wipe the histories out.
        backward = np.full((40, 48, 2), offset * (-1) ** number, np.float32)
        step = plan_step(backward, gate)
        first, second = step.apply(painted, first), step.apply(painted, second)
    # What is left is rounding, which hits the two differently.
    assert np.abs(first.astype(int) - second).mean() < 2.0
    if offset == 0.0:
        # Truncation towards zero lets no pixel of a still stick.
        assert np.array_equal(first, painted) and np.array_equal(second, painted)


def test_subpixel_motion_does_not_blur() -> None:
    """Sampled between the pixels time and again, texture keeps its contrast."""
    rng = np.random.default_rng(5)
    texture = cv2.GaussianBlur(rng.normal(128, 300, (60, 60, 3)), (0, 0), 1.5)
    image = np.clip(texture, 0, 255).astype(np.uint8)
    gate = np.full((60, 60), MAX_STRENGTH, np.float32)
    inner = (slice(8, -8), slice(8, -8))
    contrast = {}
    for sharpen in (0.0, 1.0):
        result = image
        for number in range(6):
            backward = np.full((60, 60, 2), 0.5 * (-1) ** number, np.float32)
            result = plan_step(backward, gate, sharpen).apply(
                warp(image, np.full((60, 60, 2), 0.5 * (number % 2 == 0), np.float32)), result
            )
        contrast[sharpen] = result[inner].std() / image[inner].std()
    assert contrast[1.0] > contrast[0.0] + 0.02
    assert contrast[1.0] < 1.02
