"""Painting in bfloat16: near to single precision, the same each time, for every kind of network."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.style.device import CPU
from fastvid.style.loading import load_recurrent, load_style
from fastvid.style.model import StyleModel
from fastvid.style.precision import FAST, FULL
from support import job_clips
from support.places import REPOSITORY

PUBLISHED = REPOSITORY.parent / "shared" / "data" / "published"


def frame() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    smooth: np.ndarray = cv2.GaussianBlur(noise, (0, 0), 4.0)
    stretched: np.ndarray = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    return stretched


def apart(model: StyleModel, fast: StyleModel) -> np.ndarray:
    difference: np.ndarray = model.paint([frame()])[0].astype(int) - fast.paint([frame()])[0]
    return difference


@pytest.mark.parametrize("style", ["starry_night", "wave"])
def test_a_bundled_style_is_near(style: str) -> None:
    fast = load_style(style).move_to(CPU, FAST)
    difference = apart(load_style(style), fast)
    assert 0 < np.sqrt(np.square(difference).mean()) < 1.5
    assert (fast.paint([frame()])[0] == fast.paint([frame()])[0]).all()


def test_full_precision_is_the_default() -> None:
    model = load_style("wave")
    assert not apart(model, load_style("wave").move_to(CPU)).any()
    assert not apart(model, load_style("wave").move_to(CPU, FULL)).any()


@pytest.mark.parametrize("name", ["mosaic_nc8.model", "candy_full.pth"])
def test_networks_of_other_programs(name: str) -> None:
    path: Path = PUBLISHED / name
    if not path.exists():
        pytest.skip("the published networks are not beside the repository")
    difference = apart(load_style(str(path)), load_style(str(path)).move_to(CPU, FAST))
    assert np.sqrt(np.square(difference).mean()) < 2.5


def test_recurrent_models() -> None:
    model = load_recurrent(job_clips.recurrent_bytes(), "mine")
    fast = load_recurrent(job_clips.recurrent_bytes(), "mine")
    fast.move_to(CPU, FAST)
    image, past = frame(), frame()[::-1].copy()
    mask = np.ones(image.shape[:2], bool)
    difference = model.step(image, past, mask).astype(int) - fast.step(image, past, mask)
    assert np.sqrt(np.square(difference).mean()) < 2.5
