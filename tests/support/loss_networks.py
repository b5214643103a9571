"""Files of loss networks with random weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fastvid.style.lossnet import _FIRE


def squeezenet_file(
    path: Path, change: dict[str, np.ndarray] | None = None
) -> tuple[str, dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    shapes = {"conv1": (96, 3, 7, 7)}
    for number, (fan_in, squeeze, expand) in _FIRE.items():
        shapes[f"fire{number}/s"] = (squeeze, fan_in, 1, 1)
        shapes[f"fire{number}/e1"] = (expand, squeeze, 1, 1)
        shapes[f"fire{number}/e3"] = (expand, squeeze, 3, 3)
    arrays = {}
    for name, shape in shapes.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        arrays[f"{name}.w"] = random.normal(0, scale, shape).astype(np.float32)
        arrays[f"{name}.b"] = random.normal(0, 0.1, shape[0]).astype(np.float32)
    arrays.update(change or {})
    np.savez(path, allow_pickle=False, **arrays)
    return str(path), arrays


def vgg_file(
    path: Path,
    plan: Sequence[int | str],
) -> tuple[str, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    state, channels, position = {}, 3, 0
    for entry in plan:
        if isinstance(entry, str):  # a pooling layer, which has no weights
            position += 1
            continue
        shape = (entry, channels, 3, 3)
        weight = torch.randn(shape, generator=generator) * (2 / (9 * channels)) ** 0.5
        state[f"features.{position}.weight"] = weight
        state[f"features.{position}.bias"] = torch.randn(entry, generator=generator) * 0.1
        channels, position = entry, position + 2
    torch.save(state, path)
    return str(path), state
