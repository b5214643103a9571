"""The modules that networks are built of. All features are (N, C, H, W)."""

from typing import Any, Literal, TypeGuard, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import nn

from fastvid.style.variant import NORM_EPS

AnyModule = TypeVar("AnyModule", bound=nn.Module)

# What two 3 x 3 convolutions without padding take from each side.
CROPPED_PX = 2


def channels_last(module: AnyModule) -> AnyModule:
    """Lays the weights out as CPUs like them, in place, and returns the module."""
    cast(Any, module).to(memory_format=torch.channels_last)  # torch's stubs do not know the word
    return module


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d`, affine; for one picture it is the batch norm of a batch of one.

    Batch norm keeps the channels-last layout, which instance norm copies back and forth. Mean and
    variance have the precision of its weights, also between convolutions in half precision.
    """

    def __init__(self, channels: int, eps: float = NORM_EPS) -> None:
        super().__init__(channels, eps=eps, affine=True)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = features.to(self.weight.dtype)
        if features.shape[0] != 1:
            return super().forward(features)
        return F.batch_norm(features, None, None, self.weight, self.bias, True, 0.0, self.eps)


class FixedNorm(InstanceNorm):
    """A norm whose mean and variance do not depend on the picture: a factor and an addend for each
    channel."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = features.to(self.weight.dtype)
        return features * self.weight[:, None, None] + self.bias[:, None, None]


def build_norm(channels: int, eps: float, kind: str) -> InstanceNorm:
    """The norm of a variant. kind: `instance` or `fixed`."""
    return (FixedNorm if kind == "fixed" else InstanceNorm)(channels, eps)


class ReflectConv2d(nn.Conv2d):
    """A convolution that reflects its input at the border: (N, C, H, W) keeps H, W at stride 1."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, kernel, stride)
        self.border = kernel // 2

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if self.border:
            features = F.pad(features, (self.border,) * 4, mode="reflect")
        return super().forward(features)


def build_convolution(
    in_channels: int, out_channels: int, kernel: int, stride: int, border: str
) -> nn.Conv2d:
    """A convolution whose input goes on beyond its border by `border`.

    border: reflect, replicate or zero, by half the kernel; crop: not at all.
    """
    if border == "reflect":
        return ReflectConv2d(in_channels, out_channels, kernel, stride)
    padding = 0 if border == "crop" else kernel // 2
    mode: Literal["replicate", "zeros"] = "replicate" if border == "replicate" else "zeros"
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding, padding_mode=mode)


class UpsampledConv2d(nn.Module):
    """Nearest upsampling by 2 and a padded 3 x 3 convolution, as one transposed convolution.

    A pixel of the upsampled picture is read by taps that differ only in which copy of it they meet:
    summing their weights beforehand leaves 4 products of 9. Beyond the border the upsampled picture
    mirrors into a copy of its last pixel, which is what replication gives at the lower resolution;
    zeros are zeros at any resolution.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.mode = "constant" if pads_with_zeros(convolution) else "replicate"

    @staticmethod
    def fits(convolution: nn.Module, upsampling: object) -> TypeGuard[nn.Conv2d]:
        """Whether the two layers have a form that this class knows."""
        if not isinstance(convolution, nn.Conv2d) or upsampling != 2:
            return False
        if convolution.kernel_size != (3, 3) or convolution.stride != (1, 1):
            return False
        return isinstance(convolution, ReflectConv2d) or pads_with_zeros(convolution)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        weight, bias = self.convolution.weight, self.convolution.bias
        # 4 x 4 taps: per axis w2, w1 + w2, w0 + w1, w0.
        taps = 4 * F.avg_pool2d(F.pad(weight.flip(2, 3), (1, 1, 1, 1)), 2, stride=1)
        features = F.pad(features, (1, 1, 1, 1), mode=self.mode)
        return F.conv_transpose2d(features, taps.transpose(0, 1), bias, stride=2, padding=3)


class ResidualBlock(nn.Module):
    """conv, norm, ReLU, conv, norm, added to the input.

    border: of the convolutions, as `build_convolution` takes it; `crop` takes CROPPED_PX from each
    side. norm: as `build_norm` takes it.
    """

    def __init__(
        self,
        channels: int,
        border: str = "reflect",
        eps: float = NORM_EPS,
        norm: str = "instance",
    ) -> None:
        super().__init__()
        self.cropped = CROPPED_PX if border == "crop" else 0
        self.body = nn.Sequential(
            build_convolution(channels, channels, 3, 1, border),
            build_norm(channels, eps, norm),
            nn.ReLU(inplace=True),
            build_convolution(channels, channels, 3, 1, border),
            build_norm(channels, eps, norm),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        shortcut = features
        if self.cropped:
            inner = slice(self.cropped, -self.cropped)
            shortcut = features[:, :, inner, inner]
        changed: torch.Tensor = self.body(features)
        return shortcut + changed


def pads_with_zeros(convolution: nn.Module) -> bool:
    """Whether a convolution keeps its input's size by zeros around it."""
    if not isinstance(convolution, nn.Conv2d) or convolution.padding_mode != "zeros":
        return False
    return convolution.padding == tuple(side // 2 for side in convolution.kernel_size)
