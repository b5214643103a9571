"""What the tests of runs with regions share: styles, and masks for the cut clip."""

from pathlib import Path

import numpy as np
import pytest

from support import job_clips
from support.mask_files import write_folder

SHAPE = (job_clips.HEIGHT, job_clips.WIDTH)


@pytest.fixture(scope="session")
def region_styles(material: Path) -> list[Path]:
    paths = [material / f"look{seed}.pt" for seed in (5, 6, 7)]
    for seed, path in enumerate(paths, start=5):
        path.write_bytes(job_clips.style_bytes(seed))
    return paths


@pytest.fixture(scope="session")
def patch_masks(material: Path) -> list[np.ndarray]:
    """The patch that moves in the cut clip, and a stripe that comes and goes."""
    made = []
    for number in range(job_clips.CUT_FRAMES):
        mask = np.zeros(SHAPE, np.uint8)
        start = max(first for first in (0, *job_clips.CUTS) if first <= number)
        left = 4 + 2 * (number - start) % (job_clips.WIDTH - 20)
        mask[14:30, left : left + 16] = 255
        made.append(mask)
    return made


@pytest.fixture(scope="session")
def patch_folder(material: Path, patch_masks: list[np.ndarray]) -> Path:
    return write_folder(material / "patch", patch_masks)


@pytest.fixture(scope="session")
def stripe_folder(material: Path) -> Path:
    stripes = [np.zeros(SHAPE, np.uint8) for _ in range(job_clips.CUT_FRAMES)]
    for number in range(5, 25):
        stripes[number][:, 40:52] = 255
    return write_folder(material / "stripe", stripes)
