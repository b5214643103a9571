"""Networks of styles as other runtimes want them: other norms, other layouts, fixed weights."""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from fastvid.style.layers import InstanceNorm, UpsampledConv2d
from fastvid.style.upsampling import PhasedConv2d, phase_weights

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """The network itself, its weights in the layout that convolutions on a CPU like best."""
    move: Callable[..., Network] = network.to
    return move(memory_format=torch.channels_last)


class MomentsNorm(nn.Module):
    """Instance norm as one reduction and one multiply-add."""

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(features, (2, 3), correction=0, keepdim=True)
        gain = self.weight[None, :, None, None] * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias[None, :, None, None] - mean * gain, features, gain)


class PlainNorm(MomentsNorm):
    """Instance norm as the one operator that runtimes know."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.instance_norm(features, weight=self.weight, bias=self.bias, eps=self.eps)


class FixedConv(nn.Module):
    """A convolution of fixed weights behind replication, transposed or dealt out by phases."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, module: nn.Conv2d | UpsampledConv2d | PhasedConv2d) -> None:
        super().__init__()
        self.transposed = isinstance(module, UpsampledConv2d)
        convolution = module if isinstance(module, nn.Conv2d) else module.convolution
        assert convolution.bias is not None
        weight, bias = convolution.weight.detach(), convolution.bias.detach()
        self.stride = (convolution.stride[0], convolution.stride[1])
        self.factor = 1
        border = 1
        if isinstance(module, UpsampledConv2d):
            taps = 4 * F.avg_pool2d(F.pad(weight.flip(2, 3), (1, 1, 1, 1)), 2, stride=1)
            weight = taps.transpose(0, 1).contiguous()
        elif isinstance(module, PhasedConv2d):
            self.factor = module.factor
            weight = phase_weights(weight, self.factor)
            bias = bias.repeat_interleave(self.factor**2)
            border = weight.shape[-1] // 2
        self.pad = nn.ReplicationPad2d(border)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = self.pad(features)
        if self.transposed:
            return F.conv_transpose2d(features, self.weight, self.bias, stride=2, padding=3)
        output = F.conv2d(features, self.weight, self.bias, stride=self.stride)
        return F.pixel_shuffle(output, self.factor) if self.factor > 1 else output


def with_norm(network: nn.Module, norm: type[MomentsNorm]) -> nn.Module:
    """A copy with another instance norm."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, norm(child))
    return network


def for_runtimes(network: nn.Sequential) -> nn.Module:
    """The network in operators with fixed weights only."""
    fixed = [
        FixedConv(layer)
        if isinstance(layer, UpsampledConv2d | PhasedConv2d)
        or (isinstance(layer, nn.Conv2d) and layer.padding_mode == "replicate")
        else layer
        for layer in network
    ]
    return with_norm(nn.Sequential(*fixed), PlainNorm).eval()


def to_onnx(network: nn.Module, pixels: torch.Tensor) -> bytes:
    """The network as an ONNX model."""
    with tempfile.TemporaryDirectory(prefix="fastvid-onnx-") as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network,
            (pixels,),
            path,
            opset_version=17,
            dynamo=False,
            input_names=["pixels"],
            output_names=["painted"],
        )
        return path.read_bytes()
