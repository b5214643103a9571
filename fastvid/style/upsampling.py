"""Nearest upsampling and the convolution behind it in one step, at the lower resolution.

A pixel of the upsampled picture is read by taps that differ only in which copy of it they meet, so
their weights can be summed beforehand. For upsampling by 2, a 9 x 9 convolution is left with 25
products of 81, and a 3 x 3 one with 4 of 9.
"""

from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import nn


class PhasedConv2d(nn.Module):
    """Nearest upsampling and a convolution of stride 1, as a convolution of all phases at once.

    The output pixels of one low-resolution pixel are computed as its channels and dealt out by
    `pixel_shuffle`. A last layer of 3 channels gains twice: vector units of 16 lanes are full of
    the 12 channels of four phases.

    Equal to `F.interpolate` and the convolution but for the border: within half the kernel of it
    the picture goes on as its last low-resolution pixel (mode `replicate`), or as zeros
    (`constant`), which is equal to zero padding of the convolution.
    """

    def __init__(self, convolution: nn.Conv2d, factor: int, mode: str = "replicate") -> None:
        super().__init__()
        self.convolution = convolution
        self.factor = factor
        self.mode = mode

    @staticmethod
    def fits(convolution: nn.Module, upsampling: object) -> TypeGuard[nn.Conv2d]:
        """Whether the convolution has an odd square kernel, stride 1, and a whole factor before."""
        if not isinstance(convolution, nn.Conv2d) or not isinstance(upsampling, (int, float)):
            return False
        height, width = convolution.kernel_size
        whole = float(upsampling).is_integer()
        return whole and height == width and height % 2 == 1 and convolution.stride == (1, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) to (N, out, factor h, factor w)."""
        weight, bias = self.convolution.weight, self.convolution.bias
        taps = phase_weights(weight, self.factor)
        reach = taps.shape[-1] // 2
        features = F.pad(features, (reach,) * 4, mode=self.mode)
        assert bias is not None
        phases = F.conv2d(features, taps, bias.repeat_interleave(self.factor**2))
        return F.pixel_shuffle(phases, self.factor)


def phase_weights(weight: torch.Tensor, factor: int) -> torch.Tensor:
    """The weights at the lower resolution: (out, in, K, K) to (out factor^2, in, k, k).

    Output row `factor y + phase` reads the upsampled rows from `factor y + phase - K // 2` on; the
    upsampled row r is a copy of the row floor(r / factor).
    """
    kernel = weight.shape[-1]
    reach = -(-(kernel // 2) // factor)
    copies = weight.new_zeros(factor, 2 * reach + 1, kernel)
    for phase in range(factor):
        for tap in range(kernel):
            copies[phase, (phase + tap - kernel // 2) // factor + reach, tap] = 1
    summed = torch.einsum("pyi,qxj,ocij->opqcyx", copies, copies, weight)
    return summed.flatten(0, 2).contiguous(memory_format=torch.channels_last)
