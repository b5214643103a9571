"""The figures of likeness against loops over their definitions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fastvid.commands.evaluate import likeness as module
from fastvid.commands.evaluate.likeness import (
    correlation,
    gram_error,
    likeness,
    patch_distances,
    resized_to_height,
)
from fastvid.style.lossnet import load_loss_network
from support.loss_networks import vgg_npz


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_gram_error_by_its_formula() -> None:
    one, other = torch.rand(1, 3, 4, 5), torch.rand(1, 3, 6, 2)

    def gram(features: torch.Tensor) -> np.ndarray:
        flat = features[0].reshape(3, -1).numpy().astype(float)
        pairs = [[(a * b).mean() for b in flat] for a in flat]
        return np.array(pairs)

    expected = ((gram(one) - gram(other)) ** 2).sum() / (gram(other) ** 2).sum()
    assert gram_error(one, other) == pytest.approx(expected, rel=1e-6)
    assert gram_error(one, one) == 0


def test_correlation_is_the_mean_over_channels_of_pearsons() -> None:
    one, other = torch.rand(1, 4, 5, 6), torch.rand(1, 4, 5, 6)
    pairs = zip(one[0].reshape(4, -1).numpy(), other[0].reshape(4, -1).numpy(), strict=True)
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    assert correlation(one, other) == pytest.approx(expected, rel=1e-5)
    assert correlation(one, 3 * one + 2) == pytest.approx(1.0)


def test_patch_distances_ignore_where_patches_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture moved around a corner keeps its patches, one of other contrast does not."""
    monkeypatch.setattr(module, "SCALES", (1,))
    picture = noise(80, 90, seed=1)
    moved = np.roll(picture, (17, 31), axis=(0, 1))
    (near,) = patch_distances(moved, picture, with_means=True)
    (far,) = patch_distances(picture // 2 + 64, picture, with_means=False)
    assert near < 2 and far > 20


def test_a_filter_response_differs_by_what_a_colour_is_shifted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one place and one filter the distance is the filter's sum times the shift."""
    monkeypatch.setattr(module, "SCALES", (1,))
    grey = np.full((20, 20, 3), 100, np.uint8)
    sums = np.abs(module._filters(True).sum(1)) * 30
    (found,) = patch_distances(grey + 30, grey, with_means=True)
    assert found == pytest.approx(float(sums.mean()), rel=1e-3)
    (found,) = patch_distances(grey + 30, grey, with_means=False)
    assert found < 0.1


def test_scales_are_of_pictures_shrunk_by_area() -> None:
    """Fine noise is gone at an eighth of the size: the distance to grey falls with the scale."""
    picture, grey = noise(160, 160, seed=2), np.full((160, 160, 3), 128, np.uint8)
    distances = patch_distances(picture, grey, with_means=False)
    assert len(distances) == len(module.SCALES)
    for scale, distance in zip(module.SCALES, distances, strict=True):
        assert distance == pytest.approx(distances[0] / scale, rel=0.15)


def test_paintings_are_brought_to_the_pictures_height() -> None:
    painting = noise(50, 70, seed=3)
    assert resized_to_height(painting, 50) is painting
    assert resized_to_height(painting, 25).shape == (25, 35, 3)
    assert resized_to_height(painting, 100).shape == (100, 140, 3)


def test_the_photograph_keeps_its_content_and_the_painting_its_style(tmp_path: Path) -> None:
    network = load_loss_network(vgg_npz(tmp_path / "v.npz")[0])
    photo, painting = noise(64, 72, seed=4) // 2, noise(64, 80, seed=5)
    unchanged = likeness(network, photo, photo, painting)
    # Random weights leave some channels without any response, which correlate with nothing.
    assert unchanged.content_kept > 0.85
    copied = likeness(network, photo, np.ascontiguousarray(painting[:, :72]), painting)
    assert copied.style_error < 0.1 * unchanged.style_error
    assert copied.content_kept < unchanged.content_kept - 0.2
    assert len(copied.texture) == len(copied.colour) == len(module.SCALES)
    with pytest.raises(ValueError, match="differ in size"):
        likeness(network, photo, painting, painting)
