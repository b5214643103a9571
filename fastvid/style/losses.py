"""The losses, each a pure function of tensors. Images are (N, 3, H, W) float32 BGR 0..255.

Content, style and total variation follow Johnson, Alahi, Fei-Fei 2016, but differences of features
are taken relative to the size of the target's, so that one set of weights serves all loss networks,
layers and paintings. The palette loss (sliced Wasserstein distance of colours) and the Gram matrix
of small pixel patches hold on to what the first feature layers see badly: colour and sharpness.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from fastvid.style.lossnet import LossNetwork

# Side of the pixel patches whose Gram matrix is matched.
PATCH = 3
# Colours are compared on pictures shrunk to about this side: areas count, not single pixels.
PALETTE_SIDE = 48
# Directions in colour space on which the palettes are compared.
PALETTE_DIRECTIONS = 16
LEVELS = 255.0
EPSILON = 1e-6


@dataclass(frozen=True)
class StyleTarget:
    """What a painting asks for: a Gram matrix per layer, and its sorted colours per direction."""

    grams: dict[str, torch.Tensor]
    palette: torch.Tensor


def gram(features: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) to (N, C, C): mean over positions of the products of channels, over C."""
    count, channels, height, width = features.shape
    flat = features.float().reshape(count, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def patch_features(images: torch.Tensor) -> torch.Tensor:
    """PATCH x PATCH neighbourhoods of pixels as channels: (N, 27, H - 2, W - 2), about -1..1."""
    height, width = images.shape[2] - PATCH + 1, images.shape[3] - PATCH + 1
    centred = images / (LEVELS / 2) - 1
    shifted = [
        centred[:, :, y : y + height, x : x + width] for y in range(PATCH) for x in range(PATCH)
    ]
    return torch.cat(shifted, 1)


def style_target(network: LossNetwork, painting: torch.Tensor) -> StyleTarget:
    """The targets of a painting, (1, 3, H, W)."""
    with torch.no_grad():
        features = network(painting)
        grams = {layer: gram(features[layer]) for layer in network.layers.style}
        grams["patches"] = gram(patch_features(painting))
        return StyleTarget(grams, sorted_colors(painting))


def content_loss(features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Squared difference of features over the mean square of the target's."""
    features, target = features.float(), target.float()
    return F.mse_loss(features, target) / (target.square().mean() + EPSILON)


def style_loss(
    features: dict[str, torch.Tensor], images: torch.Tensor, target: StyleTarget
) -> torch.Tensor:
    """Mean over the layers of |G - T|^2 / |T|^2 (Frobenius), T the painting's Gram matrix."""
    total = torch.zeros((), device=images.device)
    for layer, wanted in target.grams.items():
        found = gram(patch_features(images) if layer == "patches" else features[layer])
        total = total + (found - wanted).square().sum((1, 2)).mean() / wanted.square().sum()
    return total / len(target.grams)


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbours in x and y, of values in 0..1."""
    across = (images[..., 1:] - images[..., :-1]).square().mean()
    down = (images[..., 1:, :] - images[..., :-1, :]).square().mean()
    return (across + down) / LEVELS**2


def palette_directions() -> torch.Tensor:
    """(PALETTE_DIRECTIONS, 3) unit vectors spread over half a sphere (Fibonacci lattice)."""
    number = torch.arange(PALETTE_DIRECTIONS, dtype=torch.float64)
    height = (number + 0.5) / PALETTE_DIRECTIONS
    angle = number * torch.pi * (3 - 5**0.5)
    radius = torch.sqrt(1 - height**2)
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle), height], 1).float()


def sorted_colors(images: torch.Tensor) -> torch.Tensor:
    """Colours 0..1 of the shrunken images, sorted along each direction: (N, directions, pixels)."""
    small = F.adaptive_avg_pool2d(images / LEVELS, PALETTE_SIDE).flatten(2)
    return (palette_directions().to(images.device) @ small).sort(dim=2).values


def palette_loss(images: torch.Tensor, target: StyleTarget) -> torch.Tensor:
    """Sliced Wasserstein distance (squared) of the colours of images and painting, 0..1."""
    return F.mse_loss(sorted_colors(images), target.palette.expand(len(images), -1, -1))


def warp_images(images: torch.Tensor, backward_flow: torch.Tensor) -> torch.Tensor:
    """Sample images at x + flow(x), bilinear, border replicated; flow (N, H, W, 2) in pixels."""
    height, width = images.shape[2:]
    columns = torch.arange(width, device=images.device, dtype=images.dtype)
    rows = torch.arange(height, device=images.device, dtype=images.dtype)
    x = (backward_flow[..., 0] + columns) * (2 / (width - 1)) - 1
    y = (backward_flow[..., 1] + rows[:, None]) * (2 / (height - 1)) - 1
    grid = torch.stack([x, y], -1)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=True)


def temporal_loss(
    first: torch.Tensor, second: torch.Tensor, backward_flow: torch.Tensor, visible: torch.Tensor
) -> torch.Tensor:
    """Mean over visible pixels of (second - warp(first))^2, values in 0..1; visible (N, H, W)."""
    return masked_difference(second, warp_images(first, backward_flow), visible)


def masked_difference(
    images: torch.Tensor, others: torch.Tensor, visible: torch.Tensor
) -> torch.Tensor:
    """Mean over visible pixels of (images - others)^2, values in 0..1; visible (N, H, W)."""
    difference = (images - others) / LEVELS
    weight = visible[:, None]
    return (difference.square() * weight).sum() / (3 * weight.sum() + EPSILON)
