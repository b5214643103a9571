"""The network grammar: from a line such as `c9s1-16,d32,R32,U2,c3s1-3` to a torch module.

The grammar is the `-arch` of Fast Artistic Videos (Ruder, Dosovitskiy, Brox, IJCV 126, 2018):

    cKsS-N   convolution K x K, stride S, N channels, padded by reflection (K - 1) / 2
    dN       convolution 3 x 3, stride 2, N channels, padded with zeros by 1
    RN       residual block of N channels (two reflected 3 x 3 convolutions added to their input)
    uN       transposed convolution 3 x 3, stride 2, N channels
    UF       nearest upsampling by the factor F

Every layer but the residual blocks and the last is followed by instance normalisation and ReLU, the
last by tanh. A line is parsed, its parameters are counted and its scales are checked without
allocating anything, so that a line from an untrusted file is harmless.
"""

import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from fastvid.errors import InputError
from fastvid.style.upsampling import PhasedConv2d

OUTPUT_CHANNELS = 3
# A transposed or strided layer halves the picture; beyond 64 a frame of 640x360 is 10x6 features.
MAX_DOWNSAMPLING = 64
MAX_KERNEL = 31
MAX_CHANNELS = 4096
MAX_LAYERS = 256

_CONV = re.compile(r"c(\d{1,4})s(\d{1,4})-(\d{1,4})")
_OTHER = re.compile(r"([dRuU])(\d{1,4})")


@dataclass(frozen=True)
class Layer:
    """One token of the grammar: `kind` is one of c, d, R, u, U.

    `scale` is the number of input pixels per output pixel along an axis after this layer.
    """

    token: str
    kind: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    scale: int


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d`, affine; for one picture it is the batch norm of a batch of one.

    Batch norm keeps the channels-last layout, which instance norm copies back and forth. Mean and
    variance have the precision of its weights, also between convolutions in half precision.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = features.to(self.weight.dtype)
        if features.shape[0] != 1:
            return super().forward(features)
        return F.batch_norm(features, None, None, self.weight, self.bias, True, 0.0, self.eps)


class ReflectConv2d(nn.Conv2d):
    """A convolution that reflects its input at the border: (N, C, H, W) keeps H, W at stride 1."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, kernel, stride)
        self.border = kernel // 2

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if self.border:
            features = F.pad(features, (self.border,) * 4, mode="reflect")
        return super().forward(features)


class UpsampledConv2d(nn.Module):
    """Nearest upsampling by 2 and a reflected 3 x 3 convolution, as one transposed convolution.

    A pixel of the upsampled picture is read by taps that differ only in which copy of it they meet:
    summing their weights beforehand leaves 4 products of 9. Beyond the border the upsampled picture
    mirrors into a copy of its last pixel, which is what replication gives at the lower resolution.
    """

    def __init__(self, convolution: ReflectConv2d) -> None:
        super().__init__()
        self.convolution = convolution

    @staticmethod
    def fits(convolution: nn.Module, upsampling: object) -> bool:
        """Whether the two layers have the only form that this class knows."""
        if not isinstance(convolution, ReflectConv2d) or upsampling != 2:
            return False
        return convolution.kernel_size == (3, 3) and convolution.stride == (1, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        weight, bias = self.convolution.weight, self.convolution.bias
        # 4 x 4 taps: per axis w2, w1 + w2, w0 + w1, w0.
        taps = 4 * F.avg_pool2d(F.pad(weight.flip(2, 3), (1, 1, 1, 1)), 2, stride=1)
        features = F.pad(features, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(features, taps.transpose(0, 1), bias, stride=2, padding=3)


class ResidualBlock(nn.Module):
    """conv, norm, ReLU, conv, norm, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ReflectConv2d(channels, channels, 3, 1),
            InstanceNorm(channels),
            nn.ReLU(inplace=True),
            ReflectConv2d(channels, channels, 3, 1),
            InstanceNorm(channels),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.body(features)


def parse_arch(arch: str, in_channels: int = 3) -> list[Layer]:
    """The layers of a grammar line; raises InputError that names the token that is wrong.

    The line must give back a picture of the input's size: as much upsampling as downsampling, never
    finer than the input, 3 channels at the end.
    """
    tokens = [token.strip() for token in arch.split(",")]
    if len(tokens) > MAX_LAYERS:
        raise InputError(f"network '{_short(arch)}': {len(tokens)} layers, at most {MAX_LAYERS}")
    layers: list[Layer] = []
    channels, scale = in_channels, 1
    for token in tokens:
        layer = _parse_token(token, channels, scale)
        layers.append(layer)
        channels, scale = layer.out_channels, layer.scale
    last = layers[-1]
    if last.kind not in "cu" or last.out_channels != OUTPUT_CHANNELS:
        raise InputError(
            f"network layer '{last.token}': the last layer must be a convolution to "
            f"{OUTPUT_CHANNELS} channels, such as c9s1-3"
        )
    if scale != 1:
        raise InputError(
            f"network '{_short(arch)}': the output is 1/{scale} of the frame's size; "
            "add as much upsampling (U2, uN) as there is downsampling (dN, stride 2)"
        )
    return layers


def downsampling(layers: list[Layer]) -> int:
    """The largest number of input pixels per feature: height and width must be multiples of it."""
    return max(layer.scale for layer in layers)


def parameter_shapes(layers: list[Layer]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights of the network, without building it."""
    shapes: dict[str, tuple[int, ...]] = {}
    position = 0
    for number, layer in enumerate(layers):
        names = _layer_shapes(layer)
        shapes.update({f"{position}.{name}": shape for name, shape in names.items()})
        position += 1
        if layer.kind != "R" and number < len(layers) - 1:
            norm = (layer.out_channels,)
            shapes.update({f"{position}.weight": norm, f"{position}.bias": norm})
            position += 2
    return shapes


def build_network(arch: str, in_channels: int = 3) -> nn.Sequential:
    """The network of a grammar line: (N, in_channels, H, W) float32 to (N, 3, H, W) in -1..1.

    H and W must be multiples of the total downsampling. The keys of its state dict are the
    positions in the sequence (`0.weight`, `9.body.0.weight`, ...). Raises InputError for a bad
    line.
    """
    layers = parse_arch(arch, in_channels)
    modules: list[nn.Module] = []
    for number, layer in enumerate(layers):
        modules.append(_build_layer(layer))
        if number == len(layers) - 1:
            modules.append(nn.Tanh())
        elif layer.kind != "R":
            modules += [InstanceNorm(layer.out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*modules)


def for_painting(network: nn.Sequential) -> nn.Sequential:
    """The layers of a network in the order and with the borders that painting and training use.

    `d` layers continue their input at the border instead of adding zeros. Zeros are an edge that no
    frame has: on a flat frame (a fade to black) instance norm blows it up to a bright frame, 40
    pixels wide with five residual blocks; mirrored margins alone would have to be as wide as that.
    `U, norm, ReLU` becomes `norm, ReLU, U`: nearest upsampling repeats values, so mean and variance
    stay, and the norm costs a fourth. `U2, c3s1` becomes an UpsampledConv2d, a larger kernel behind
    an upsampling a PhasedConv2d. The modules are shared with `network`; its keys are not kept.
    """
    modules = list(network)
    for position, module in enumerate(network):
        if isinstance(module, nn.Conv2d) and module.padding == (1, 1):
            module.padding_mode = "replicate"
        if isinstance(module, nn.Upsample):
            norm, relu, following = network[position + 1 : position + 4]
            modules[position : position + 4] = [norm, relu, module, following]
            factor = module.scale_factor
            if UpsampledConv2d.fits(following, factor):
                modules[position + 2 : position + 4] = [nn.Identity(), UpsampledConv2d(following)]
            elif PhasedConv2d.fits(following, factor):
                phased = PhasedConv2d(following, int(factor))
                modules[position + 2 : position + 4] = [nn.Identity(), phased]
    return nn.Sequential(*modules)


def _parse_token(token: str, channels: int, scale: int) -> Layer:
    kind, kernel, stride, number = _split_token(token)
    if kind == "R" and number != channels:
        raise InputError(
            f"network layer '{token}': a residual block of {number} channels after {channels}"
        )
    new_scale = scale * stride
    if kind in "uU":
        if scale % stride:
            raise InputError(f"network layer '{token}': would work finer than the frame itself")
        new_scale = scale // stride
    if new_scale > MAX_DOWNSAMPLING:
        raise InputError(
            f"network layer '{token}': shrinks the frame by {new_scale}, "
            f"at most {MAX_DOWNSAMPLING}"
        )
    out_channels = channels if kind == "U" else number
    return Layer(token, kind, channels, out_channels, kernel, stride, new_scale)


def _split_token(token: str) -> tuple[str, int, int, int]:
    """Kind, kernel, stride (of a U its factor) and the number of channels of a token."""
    if match := _CONV.fullmatch(token):
        kernel, stride, number = (int(group) for group in match.groups())
        kind = "c"
        if kernel % 2 == 0 or kernel > MAX_KERNEL or stride == 0:
            raise InputError(
                f"network layer '{token}': the kernel must be odd and at most {MAX_KERNEL}, "
                "the stride at least 1"
            )
    elif match := _OTHER.fullmatch(token):
        kind, number = match.group(1), int(match.group(2))
        kernel, stride = 3, {"d": 2, "R": 1, "u": 2, "U": number}[kind]
    else:
        raise InputError(
            f"network layer '{_short(token)}' is not in the grammar: "
            "cKsS-N (convolution), dN (down), RN (residual), uN or UF (up)"
        )
    if not 1 <= number <= MAX_CHANNELS:
        raise InputError(f"network layer '{token}': {number} is not within 1..{MAX_CHANNELS}")
    return kind, kernel, stride, number


def _layer_shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    fan_in, fan_out, kernel = layer.in_channels, layer.out_channels, layer.kernel
    if layer.kind == "U":
        return {}
    if layer.kind == "u":
        return {"weight": (fan_in, fan_out, kernel, kernel), "bias": (fan_out,)}
    if layer.kind != "R":
        return {"weight": (fan_out, fan_in, kernel, kernel), "bias": (fan_out,)}
    shapes: dict[str, tuple[int, ...]] = {}
    for convolution, norm in (("body.0", "body.1"), ("body.3", "body.4")):
        shapes[f"{convolution}.weight"] = (fan_out, fan_in, kernel, kernel)
        shapes[f"{convolution}.bias"] = (fan_out,)
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (fan_out,)
    return shapes


def _build_layer(layer: Layer) -> nn.Module:
    fan_in, fan_out = layer.in_channels, layer.out_channels
    if layer.kind == "c":
        return ReflectConv2d(fan_in, fan_out, layer.kernel, layer.stride)
    if layer.kind == "d":
        return nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1)
    if layer.kind == "R":
        return ResidualBlock(fan_out)
    if layer.kind == "u":
        return nn.ConvTranspose2d(fan_in, fan_out, 3, stride=2, padding=1, output_padding=1)
    return nn.Upsample(scale_factor=layer.stride, mode="nearest")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
