"""The losses, each a pure function of tensors. Images are (N, 3, H, W) float32 BGR 0..255.

Style and total variation follow Johnson, Alahi, Fei-Fei 2016, but differences of Gram matrices are
taken relative to the size of the target's, and features of the content are standardised, so that
one set of weights serves all loss networks, layers and paintings. What Gram matrices see badly,
colour and the finest strokes, is compared in fastvid.style.patches.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from fastvid.style.lossnet import LossNetwork

LEVELS = 255.0
EPSILON = 1e-6
# Of the mean over the channels.
LEAST_VARIANCE = 1e-3


class _Gram(torch.autograd.Function):
    """Products of channels, summed over positions: G = F^T F, dF = F (dG + dG^T).

    Autograd would take the two factors for different ones, and copy each of its two gradients.
    """

    @staticmethod
    def forward(ctx: Any, features: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = features.shape
        flat = features.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        ctx.save_for_backward(flat)
        ctx.size = height, width
        # One product per picture: batched ones in bfloat16 are 13 times slower on a processor.
        return torch.stack([picture.t() @ picture for picture in flat]).float()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (flat,), (gradient,) = ctx.saved_tensors, gradients
        both = (gradient + gradient.transpose(1, 2)).to(flat.dtype)
        products = torch.stack(
            [picture @ matrix for picture, matrix in zip(flat, both, strict=True)]
        )
        found: torch.Tensor = products.unflatten(1, ctx.size).permute(0, 3, 1, 2)
        return found


def gram(features: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) to (N, C, C) float32: mean over positions of the products of channels, over C.

    Products have the features' type, their sums single precision.
    """
    _, channels, height, width = features.shape
    # torch says nothing of the type of `apply`.
    apply: Callable[[torch.Tensor], torch.Tensor] = _Gram.apply
    return apply(features) / (channels * height * width)


def style_target(network: LossNetwork, painting: torch.Tensor) -> dict[str, torch.Tensor]:
    """The Gram matrices of a painting, (1, 3, H, W), by layer."""
    with torch.no_grad():
        features = network(painting)
        return {layer: gram(features[layer]) for layer in network.layers.style}


def content_loss(
    features: Mapping[str, torch.Tensor],
    target: Mapping[str, torch.Tensor],
    layers: Sequence[str],
) -> torch.Tensor:
    """Mean over the layers of the squared difference of standardised features, 0..4.

    Each channel is brought to mean 0 and variance 1 over positions: how strong it is in all is the
    painting's business, where it is strong is the content (Park, Lee 2019). Half of it is 1 minus
    the mean correlation of channels.
    """
    losses = [
        F.mse_loss(standardised(features[layer]), standardised(target[layer])) for layer in layers
    ]
    return torch.stack(losses).mean()


def standardised(features: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) to (N, H W, C) float32, mean 0 and variance 1 in each picture and channel.

    Channels that hardly vary, compared with the others, stay near 0.
    """
    flat = features.permute(0, 2, 3, 1).flatten(1, 2).float()
    variance, mean = torch.var_mean(flat, dim=1, keepdim=True, correction=0)
    least = LEAST_VARIANCE * variance.mean(2, keepdim=True).detach() + EPSILON
    return (flat - mean) * (variance + least).rsqrt()


def style_loss(
    features: Mapping[str, torch.Tensor], target: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Mean over the layers of |G - T|^2 / |T|^2 (Frobenius), T the painting's Gram matrix."""
    losses = [
        (gram(features[layer]) - wanted).square().sum((1, 2)).mean() / wanted.square().sum()
        for layer, wanted in target.items()
    ]
    return torch.stack(losses).mean()


def total_variation(images: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbours in x and y, of values in 0..1."""
    across = (images[..., 1:] - images[..., :-1]).square().mean()
    down = (images[..., 1:, :] - images[..., :-1, :]).square().mean()
    return (across + down) / LEVELS**2


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
