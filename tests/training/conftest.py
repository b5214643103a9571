"""What trainings at toy size learn from."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from support.loss_networks import vgg_npz


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of smooth colours, two paintings, and a random loss network."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("training")
    (root / "photos").mkdir()
    random = np.random.default_rng(0)
    for number in range(7):
        small = random.integers(0, 256, (5, 6, 3), np.uint8)
        photo = cv2.resize(small, (50, 41), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(root / "photos" / f"{number}.png"), photo)
    for name in ("red", "blue"):
        painting = random.integers(0, 256, (70, 64, 3), np.uint8)
        painting[..., 0 if name == "red" else 2] //= 4
        cv2.imwrite(str(root / f"{name}.png"), painting)
    vgg_npz(root / "loss.npz")
    return root
