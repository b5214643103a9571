"""Instance norm weighted by area: what is shown twice, or drawn out, does not count for more.

A picture that is laid out of pieces of a sphere shows some directions twice, and its margins again.
With a weight for each pixel, that is its share of the sphere, mean and variance are those of the
sphere itself, and the network paints with the same colours wherever a camera is turned.
"""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from fastvid.style.half import HalfNorm
from fastvid.style.layers import FixedNorm, InstanceNorm

# Numbers of a feature map that are worked on in one go: they stay in a core's cache.
_CHUNK_NUMBERS = 1 << 17
# Pixels that the mean is guessed from before it is known.
_SAMPLED = 1024


class AreaWeights:
    """The weights of a picture's pixels at the scales of a network.

    weights: (H, W) float32, at least one above 0; margins included, which weigh nothing. scales:
    pixels per feature. device: where the network is.
    """

    def __init__(self, weights: np.ndarray, scales: Sequence[int], device: torch.device) -> None:
        plane = torch.from_numpy(np.ascontiguousarray(weights, np.float32)).to(device)[None, None]
        self._planes = {scale: F.avg_pool2d(plane, scale, ceil_mode=True)[0, 0] for scale in scales}
        self._largest = max(scales)
        self._fitted: dict[tuple[int, int], torch.Tensor] = {}

    def of(self, height: int, width: int) -> torch.Tensor:
        """The weights of features of this size, (height, width) float32, their sum is 1.

        Features that the network has cropped lie in the middle; those that it has rounded up go on
        at the bottom and on the right. Raises ValueError for a size that no scale has.
        """
        if (height, width) not in self._fitted:
            plane = _fitted(self._nearest(height, width), height, width)
            self._fitted[height, width] = (plane / plane.double().sum()).float()
        return self._fitted[height, width]

    def _nearest(self, height: int, width: int) -> torch.Tensor:
        found, least = None, math.inf
        for plane in self._planes.values():
            surplus = plane.shape[0] - height + plane.shape[1] - width
            possible = min(plane.shape[0] - height, plane.shape[1] - width) > -self._largest
            if possible and abs(surplus) < least:
                found, least = plane, abs(surplus)
        if found is None:
            raise ValueError(f"features of {width}x{height} are not of the weighted picture")
        return found


def _fitted(plane: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """A plane cut in the middle, or continued by zeros, to a size."""
    top, left = max(0, plane.shape[0] - height) // 2, max(0, plane.shape[1] - width) // 2
    plane = plane[top : top + height, left : left + width]
    below, right = height - plane.shape[0], width - plane.shape[1]
    return F.pad(plane, (0, right, 0, below))


class AreaNorm(nn.Module):
    """The instance norm of a network, with the mean and variance of weighted pixels.

    Features are (N, C, H, W). in_half: whether they leave in the precision in which they come, and
    not in that of the norm's numbers.
    """

    def __init__(self, norm: InstanceNorm, weights: AreaWeights, in_half: bool = False) -> None:
        super().__init__()
        self._in_half = in_half
        self._norm = norm
        self._weights = weights

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        normed = self._normed(features)
        return normed.to(features.dtype) if self._in_half else normed

    def _normed(self, features: torch.Tensor) -> torch.Tensor:
        norm = self._norm
        features = features.to(norm.weight.dtype)
        weights = self._weights.of(*features.shape[2:])
        if features.shape[0] == 1 and features.device.type == "cpu":
            mean, variance = _statistics_of_one(features, weights)
            return F.batch_norm(
                features, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps
            )
        mean = (features * weights).sum((2, 3), keepdim=True)
        centred = features - mean
        variance = (centred.square() * weights).sum((2, 3), keepdim=True)
        scaled = centred * (variance + norm.eps).rsqrt()
        return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


def _statistics_of_one(
    features: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted mean and variance of each channel of (1, C, H, W) float32: (C,) float32 each."""
    channels = features.shape[1]
    rows = features.permute(0, 2, 3, 1).reshape(-1, channels)
    # Squares are taken around what a few features say of the mean, so that nothing cancels.
    centre = rows[:: max(1, len(rows) // _SAMPLED)].mean(0)
    step = max(1, _CHUNK_NUMBERS // channels)
    room = torch.empty(step, channels)
    first = torch.zeros(channels, dtype=torch.float64)
    second = torch.zeros(channels, dtype=torch.float64)
    for part, share in zip(rows.split(step), weights.reshape(-1).split(step), strict=True):
        apart = torch.sub(part, centre, out=room[: len(part)])
        first += share @ apart
        second += share @ apart.square_()
    return (centre + first).float(), (second - first * first).clamp_(min=0).float()


def with_area_norms(network: nn.Sequential, weights: AreaWeights) -> nn.Sequential:
    """The network with weighted norms; its parameters are shared. Norms that do not look at the
    picture stay as they are."""
    shared = {id(parameter): parameter for parameter in network.parameters()}
    twin = copy.deepcopy(network, shared)
    for module in list(twin.modules()):
        for name, child in module.named_children():
            if isinstance(child, HalfNorm) and not child.fixed:
                setattr(module, name, AreaNorm(child.norm, weights, in_half=True))
            elif isinstance(child, InstanceNorm) and not isinstance(child, FixedNorm):
                setattr(module, name, AreaNorm(child, weights))
    return twin
