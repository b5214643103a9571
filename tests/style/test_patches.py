"""The sliced Wasserstein distance of patches against loops over its definition."""

import numpy as np
import pytest
import torch

from fastvid.style import patches


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator) * 255


def all_patches(image: torch.Tensor, scale: int) -> np.ndarray:
    """Every patch of an image (1, 3, H, W) shrunk by means over squares, flattened."""
    array = image[0].numpy()
    height, width = (side // scale * scale for side in array.shape[1:])
    blocks = array[:, :height, :width].reshape(3, height // scale, scale, width // scale, scale)
    small = blocks.mean((2, 4))
    side = patches.PATCH
    return np.array(
        [
            small[:, y : y + side, x : x + side].ravel()
            for y in range(small.shape[1] - side + 1)
            for x in range(small.shape[2] - side + 1)
        ]
    )


def test_the_target_holds_the_paintings_patches() -> None:
    painting = picture(33, 40)
    target = patches.patch_target(painting)
    # At scale 8 it is 4 x 5 pixels, and holds no patch.
    for scale, kept in zip((1, 2, 4), target.patches, strict=True):
        expected = all_patches(painting, scale)
        assert kept.shape == expected.shape
        order = np.lexsort(expected.T)
        found = kept.numpy()[np.lexsort(kept.numpy().T)]
        np.testing.assert_allclose(found, expected[order], atol=1e-3)


def test_a_small_picture_is_compared_at_the_scales_it_has() -> None:
    painting = patches.patch_target(picture(64, 64))
    assert [len(kept) for kept in painting.patches] == [58 * 58, 26 * 26, 10 * 10, 2 * 2]
    for side in (32, 8, 6):
        loss = patches.patch_loss(picture(side, 64, seed=1), painting, torch.Generator())
        assert torch.isfinite(loss) and (loss > 0) == (side >= patches.PATCH)


def test_every_second_direction_is_blind_to_colour() -> None:
    """Else projections are mostly mean colours, and a flat painting of the same ones is as good."""
    directions = patches.random_directions(torch.Generator().manual_seed(3))
    means = directions.mean((2, 3)).abs().amax(1)
    assert means[1::2].max() < 1e-6 < means[::2].min()


def test_the_distance_is_that_of_sorted_projections(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all places of both, drawn without repetition, it is the definition, patch by patch."""
    monkeypatch.setattr(patches, "SCALES", (2,))
    image, painting = picture(24, 26, seed=1), picture(24, 26, seed=2)
    directions = patches.random_directions(torch.Generator().manual_seed(5))
    count = len(all_patches(image, 2))
    monkeypatch.setattr(patches, "random_directions", lambda generator: directions)
    monkeypatch.setattr(
        torch,
        "randint",
        lambda high, size, generator: torch.arange(size[0]) % high,
    )
    found = patches.patch_loss(image, patches.patch_target(painting), torch.Generator())
    ours, theirs = all_patches(image, 2), all_patches(painting, 2)
    expected = 0.0
    for direction in directions.flatten(1).numpy():
        one, two = sorted(ours @ direction), sorted(theirs @ direction)
        expected += sum(abs(a - b) for a, b in zip(one, two, strict=True)) / count
    assert found.item() == pytest.approx(expected / len(directions) / 255, rel=1e-4)


def test_directions_are_unit_vectors() -> None:
    directions = patches.random_directions(torch.Generator().manual_seed(0))
    norms = directions.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(patches.DIRECTIONS))


def test_a_picture_is_nearer_to_itself_and_gradients_lead_there() -> None:
    painting, other = picture(64, 64), picture(64, 64, seed=1) * 0.4 + 20
    target = patches.patch_target(painting)

    def loss(image: torch.Tensor) -> torch.Tensor:
        return patches.patch_loss(image, target, torch.Generator().manual_seed(3))

    assert loss(painting).item() < 0.1 * loss(other).item()
    moved = other.clone().requires_grad_(True)
    adam = torch.optim.Adam([moved], lr=4.0)
    for _ in range(30):
        adam.zero_grad()
        loss(moved).backward()
        adam.step()
    assert loss(moved.detach()).item() < 0.3 * loss(other).item()


def test_sorting_keeps_gradients_in_place() -> None:
    values = torch.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    ordered = patches.in_order(values)
    assert ordered.tolist() == [[1.0, 2.0, 3.0]]
    (gradient,) = torch.autograd.grad((ordered * torch.tensor([1.0, 10.0, 100.0])).sum(), values)
    assert gradient.tolist() == [[100.0, 1.0, 10.0]]
