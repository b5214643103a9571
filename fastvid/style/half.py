"""A network with its inner layers in bfloat16: about 1.7 times as fast on processors that have it.

bfloat16 has 8 binary digits. The first and the last layer stay in single precision: what they take
and give are colours, and 8 digits of a colour are steps of up to one level. Norms take their sums
in single precision. Measured on a film frame in the bundled styles: 0.24 levels from single
precision (root mean square), 3 at the most; with all layers in bfloat16 0.36 and 10.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from fastvid.style.layers import FixedNorm, InstanceNorm

HALF = torch.bfloat16


class _HalfNorm(nn.Module):
    """A norm whose input and output are bfloat16, and its numbers float32."""

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.norm = norm
        self.fixed = isinstance(norm, FixedNorm)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if self.fixed or features.shape[0] != 1:
            changed: torch.Tensor = self.norm(features)
            return changed.to(features.dtype)
        weight, bias, eps = self.norm.weight, self.norm.bias, self.norm.eps
        return F.batch_norm(features, None, None, weight, bias, True, 0.0, eps)


class _As(nn.Module):
    """Passes features on in another precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.to(self.dtype)


def in_half_precision(network: nn.Sequential) -> nn.Sequential:
    """A copy that takes and gives float32 and computes in bfloat16 in between; for painting."""
    layers = [copy.deepcopy(layer) for layer in network]
    last = max(number for number, layer in enumerate(layers) if _has_weights(layer))
    inner = nn.Sequential(*layers[1:last])
    _with_half_norms(inner)
    for module in inner.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(HALF)
    return nn.Sequential(layers[0], _As(HALF), *inner, _As(torch.float32), *layers[last:])


def _has_weights(layer: nn.Module) -> bool:
    return next(layer.parameters(), None) is not None


def _with_half_norms(module: nn.Module) -> None:
    for name, part in module.named_children():
        if isinstance(part, InstanceNorm):
            setattr(module, name, _HalfNorm(part))
        else:
            _with_half_norms(part)
