"""Warping, flow estimation and flow files."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.errors import InputError
from fastvid.motion.flo import read_flo, write_flo
from fastvid.motion.flow import FLOW_METHODS, FlowEstimator
from fastvid.motion.smoothing import smooth_along_edges
from fastvid.motion.warp import Interpolation, warp

# Mean end-point error in pixels over the visible pixels of the generated clip at 320x180; measured
# 0.51, 0.43, 0.29, 0.20, 0.21 and 0.38.
ERROR_BOUNDS_PX = {
    "dis-ultrafast": 0.65,
    "dis-fast": 0.55,
    "dis-medium": 0.40,
    "dis-fine": 0.30,
    "deepflow": 0.30,
    "farneback": 0.50,
}


def oracle_warp(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Bilinear sampling pixel by pixel in float64, the border replicated."""
    height, width = flow.shape[:2]
    out = np.empty(image.shape, np.float64)
    for row in range(height):
        for column in range(width):
            x = min(max(column + float(flow[row, column, 0]), 0), width - 1)
            y = min(max(row + float(flow[row, column, 1]), 0), height - 1)
            left, top = int(x), int(y)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            a, b = x - left, y - top
            upper = (1 - a) * image[top, left] + a * image[top, right]
            lower = (1 - a) * image[bottom, left] + a * image[bottom, right]
            out[row, column] = (1 - b) * upper + b * lower
    return out


@pytest.fixture(scope="module")
def clip() -> SyntheticClip:
    return SyntheticClip(320, 180, 96)


@pytest.mark.parametrize("shape", [(23, 31, 3), (1, 17, 3), (9, 1, 3), (14, 11), (23, 31, 2)])
def test_warp_samples_where_the_flow_points(shape: tuple[int, int, int] | tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    image = rng.uniform(0, 255, shape).astype(np.float32)
    flow = rng.normal(0, 6, (*shape[:2], 2)).astype(np.float32)
    flow[0, 0] = 1e9, -1e9
    expected = oracle_warp(image, flow)
    assert np.abs(warp(image, flow) - expected).max() < 0.01
    rounded = warp(image.astype(np.uint8), flow)
    assert rounded.dtype == np.uint8 and rounded.shape == shape
    assert np.abs(rounded - oracle_warp(image.astype(np.uint8), flow)).max() < 0.51


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_warp_by_nothing_changes_nothing(interpolation: Interpolation) -> None:
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    still = np.zeros((20, 30, 2), np.float32)
    assert np.array_equal(warp(image, still, interpolation), image)


def test_warp_refuses_a_flow_of_another_size() -> None:
    with pytest.raises(ValueError, match="height, width"):
        warp(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 2), np.float32))


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_flow_is_near_the_truth(clip: SyntheticClip, method: str) -> None:
    estimator = FlowEstimator(method)
    errors = []
    for index in (10, 40, 70):
        flow = estimator(clip.frame(index), clip.frame(index - 1))
        seen = ~clip.occlusion(index)
        errors.append(np.hypot(*(flow - clip.backward_flow(index))[seen].T).mean())
    standing_still = np.hypot(*clip.backward_flow(70).reshape(-1, 2).T).mean()
    assert standing_still > 0.8
    assert np.mean(errors) < ERROR_BOUNDS_PX[method]


def test_flow_at_half_size_has_full_size_values(clip: SyntheticClip) -> None:
    frame, target = clip.frame(70), clip.frame(69)
    truth = clip.backward_flow(70)
    flow = FlowEstimator("dis-medium", 0.5)(frame, target)
    assert flow.shape == truth.shape and flow.dtype == np.float32
    assert np.hypot(*(flow - truth).reshape(-1, 2).T).mean() < 0.6


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_flow_is_the_same_every_time_and_with_any_threads(clip: SyntheticClip, method: str) -> None:
    frame, target = clip.frame(41)[:90, :161], clip.frame(40)[:90, :161]
    estimator = FlowEstimator(method)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = estimator(frame, target)
        estimator(target, frame)
        assert np.array_equal(estimator(frame, target), alone)
        cv2.setNumThreads(3)
        assert np.array_equal(FlowEstimator(method)(frame, target), alone)
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_flow_does_not_remember_the_pair_before(method: str) -> None:
    """At 80x45 OpenCV's DIS has a single pyramid level, where it starts from its last result."""
    clip = SyntheticClip(80, 45, 30)
    frames = [clip.frame(index) for index in range(4)]
    estimator = FlowEstimator(method)
    alone = FlowEstimator(method)(frames[1], frames[0])
    estimator(frames[3], frames[0])
    assert np.array_equal(estimator(frames[1], frames[0]), alone)


def test_tiny_frames_have_flow_too() -> None:
    """In a process of its own: OpenCV's DIS crashes on low frames if it is given them."""
    script = """
import numpy as np
from fastvid.motion.flow import FLOW_METHODS, FlowEstimator
rng = np.random.default_rng(0)
for method in FLOW_METHODS:
    for scale in (1.0, 0.5):
        estimator = FlowEstimator(method, scale)
        for shape in ((1, 1), (1, 40), (40, 1), (2, 3), (16, 16), (5, 300), (31, 200)):
            source, target = rng.integers(0, 256, (2,) + shape + (3,), dtype=np.uint8)
            flow = estimator(source, target)
            assert flow.shape == shape + (2,) and np.isfinite(flow).all()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_flat_frame_stands_still() -> None:
    flat = np.full((40, 50, 3), 90, np.uint8)
    for method in FLOW_METHODS:
        assert np.abs(FlowEstimator(method)(flat, flat)).max() == 0


@pytest.mark.parametrize(
    "arguments", [("lucas",), ("dis-fast", 0.0), ("dis-fast", 1.5), ("dis-fast", float("nan"))]
)
def test_bad_settings_are_named(arguments: tuple[str, float] | tuple[str]) -> None:
    with pytest.raises(InputError, match=r"lucas|scale"):
        FlowEstimator(*arguments)


def test_flow_files_are_read_as_written(tmp_path: Path) -> None:
    flow = np.random.default_rng(4).normal(0, 9, (7, 13, 2)).astype(np.float32)
    path = tmp_path / "a.flo"
    write_flo(path, flow)
    data = path.read_bytes()
    assert np.frombuffer(data, "<f4", 1)[0] == np.float32(202021.25)
    assert tuple(np.frombuffer(data, "<i4", 2, 4)) == (13, 7)
    assert np.array_equal(read_flo(path), flow)


def test_unknown_flow_is_nan(tmp_path: Path) -> None:
    flow = np.ones((2, 3, 2), np.float32)
    flow[1, 2] = 1.7e9, 0.0
    flow[0, 0, 1] = np.nan
    path = tmp_path / "a.flo"
    write_flo(path, flow)
    unknown = np.isnan(read_flo(path))
    assert unknown[1, 2].all() and unknown[0, 0].all() and unknown.sum() == 4


def _flo(width: int, height: int, values: int) -> bytes:
    sizes = np.array([width, height], "<i4").tobytes()
    return b"PIEH" + sizes + np.zeros(values, "<f4").tobytes()


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "PIEH"),
        (b"PIEH\x01\x00", "PIEH"),
        (b"JUNK" + bytes(16), "PIEH"),
        (_flo(2, 2, 7), "take 44 bytes"),
        (_flo(2, 2, 9), "take 44 bytes"),
        (_flo(60000, 60000, 2), "take 28800000012 bytes"),
        (_flo(-1, 4, 8), "outside"),
        (_flo(0, 4, 0), "outside"),
        (_flo(2**31 - 1, 2**31 - 1, 0), "outside"),
    ],
)
def test_a_damaged_flow_file_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.flo"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_flo(path)


def test_a_missing_flow_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.flo"):
        read_flo(tmp_path / "absent.flo")
    with pytest.raises(InputError):
        read_flo(tmp_path)


def test_smoothing_brings_back_what_strays_and_halts_at_edges() -> None:
    """Two halves that move apart; a patch of wrong flow within one of them, no edge around it."""
    frame = np.full((120, 160, 3), 60, np.uint8)
    frame[:, 80:] = 180
    truth = np.zeros((120, 160, 2), np.float32)
    truth[:, :80], truth[:, 80:] = (3, 0), (-2, 1)
    strayed = truth.copy()
    strayed[50:62, 30:42] = (-4, 5)
    smoothed = smooth_along_edges(strayed, frame)
    errors = np.hypot(*np.moveaxis(smoothed - truth, -1, 0))
    assert np.hypot(7, 5) > 8 and errors[50:62, 30:42].max() < 1
    errors[50:62, 30:42] = 0
    assert errors.max() < 0.01


def test_smoothing_keeps_what_turns_slowly() -> None:
    frame = np.random.default_rng(4).integers(90, 110, (90, 128, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:90, :128].astype(np.float32)
    turning = np.dstack([(rows - 45) * 0.02, (columns - 64) * -0.02])
    assert np.abs(smooth_along_edges(turning, frame) - turning)[8:-8, 8:-8].max() < 0.05


def test_smoothing_gives_the_same_wherever_in_memory_it_works() -> None:
    random = np.random.default_rng(5)
    frame = random.integers(0, 256, (90, 161, 3), dtype=np.uint8)
    flow = random.normal(0, 3, (90, 161, 2)).astype(np.float32)
    first, elsewhere = smooth_along_edges(flow, frame), []
    for _ in range(60):
        elsewhere.append(np.empty(random.integers(1, 60_000)))
        elsewhere = elsewhere[-7:]
        assert np.array_equal(smooth_along_edges(flow, frame), first)
