"""Files of loss networks with random weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

# Output channels of the convolutions of VGG-19 up to the last one that is used, M for a maximum.
VGG19 = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512)
VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512)


def vgg_npz(
    path: Path, change: dict[str, np.ndarray] | None = None, plan: Sequence[int | str] = VGG19
) -> tuple[str, dict[str, np.ndarray]]:
    """The original weights' layout: (path, arrays). change: arrays to put in their place."""
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    channels, block, number = 3, 1, 0
    for entry in plan:
        if isinstance(entry, str):
            block, number = block + 1, 0
            continue
        number += 1
        scale = (2 / (9 * channels)) ** 0.5
        weight = random.normal(0, scale, (entry, channels, 3, 3)).astype(np.float32)
        arrays[f"conv{block}_{number}.w"] = weight
        arrays[f"conv{block}_{number}.b"] = random.normal(0, 0.1, entry).astype(np.float32)
        channels = entry
    arrays.update(change or {})
    np.savez(path, allow_pickle=False, **arrays)
    return str(path), arrays


def vgg_state_dict(
    path: Path, plan: Sequence[int | str] = VGG19
) -> tuple[str, dict[str, torch.Tensor]]:
    """torchvision's layout: (path, state dict)."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, torch.Tensor] = {}
    channels, position = 3, 0
    for entry in plan:
        if isinstance(entry, str):  # a pooling layer, which has no weights
            position += 1
            continue
        shape = (entry, channels, 3, 3)
        weight = torch.randn(shape, generator=generator) * (2 / (9 * channels)) ** 0.5
        state[f"features.{position}.weight"] = weight
        state[f"features.{position}.bias"] = torch.randn(entry, generator=generator) * 0.1
        channels, position = entry, position + 2
    if plan == VGG19:
        state["features.34.weight"] = torch.zeros(1)  # what VGG-16 does not have
    torch.save(state, path)
    return str(path), state
