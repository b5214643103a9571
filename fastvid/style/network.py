"""The network grammar: from a line such as `c9s1-16,d32,R32,U2,c3s1-3` to a torch module.

The grammar is the `-arch` of Fast Artistic Videos (Ruder, Dosovitskiy, Brox, IJCV 126, 2018):

    cKsS-N   convolution K x K, stride S, N channels, padded by reflection (K - 1) / 2
    dN       convolution 3 x 3, stride 2, N channels, padded with zeros by 1
    RN       residual block of N channels (two reflected 3 x 3 convolutions added to their input)
    uN       transposed convolution 3 x 3, stride 2, N channels
    UF       nearest upsampling by the factor F

Every layer but the residual blocks and the last is followed by instance normalisation and ReLU, the
last by tanh. What other programs' models do otherwise is in a Variant beside the line. A line is
parsed, its parameters are counted and its scales are checked without allocating anything, so that a
line from an untrusted file is harmless.
"""

import re
from dataclasses import dataclass

from torch import nn

from fastvid.errors import InputError
from fastvid.style.layers import (
    CROPPED_PX,
    InstanceNorm,
    ResidualBlock,
    UpsampledConv2d,
    build_convolution,
    build_norm,
    pads_with_zeros,
)
from fastvid.style.upsampling import PhasedConv2d
from fastvid.style.variant import Variant

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


def reach(layers: list[Layer]) -> int:
    """How far from a pixel of the output the network looks at its input, pixels, by its kernels;
    instance norm apart, which looks at all of it."""
    total, scale = 0, 1
    for layer in layers:
        # A residual block has two convolutions; upsampling reads its own pixel alone.
        radius = 0 if layer.kind == "U" else layer.kernel // 2
        total += (2 if layer.kind == "R" else 1) * radius * scale
        scale = layer.scale
    return total


def smallest_side(layers: list[Layer]) -> int:
    """Pixels that a side must have for every layer to have something to reflect and to norm."""
    return max(layer.scale * (layer.kernel // 2 + 2) for layer in layers)


def check_variant(layers: list[Layer], variant: Variant) -> None:
    """Raises InputError unless what the residual blocks crop is what the start padding added.

    Mirrored borders are defined for networks that reflect, alone.
    """
    reflects = variant.convolution == variant.residual == "reflect"
    if variant.borders == "mirrored" and not reflects:
        raise InputError(
            "a network with mirrored borders must reflect, not "
            f"{variant.convolution} and {variant.residual}"
        )
    blocks = [layer for layer in layers if layer.kind == "R"]
    cropped = sum(CROPPED_PX * layer.scale for layer in blocks if variant.residual == "crop")
    if cropped != variant.start_padding:
        raise InputError(
            f"the network takes {cropped} pixels from each side of a frame, but it is padded by "
            f"{variant.start_padding}: its output would not have the frame's size"
        )


def parameter_shapes(
    layers: list[Layer], variant: Variant = Variant()
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights of the network, without building it."""
    shapes: dict[str, tuple[int, ...]] = {}
    position = 0
    for number, layer in enumerate(layers):
        names = _layer_shapes(layer)
        shapes.update({f"{position}.{name}": shape for name, shape in names.items()})
        position += 1
        if number < len(layers) - 1 and _is_normed(layer, variant):
            norm = (layer.out_channels,)
            shapes.update({f"{position}.weight": norm, f"{position}.bias": norm})
            position += 2
    return shapes


def build_network(arch: str, in_channels: int = 3, variant: Variant | None = None) -> nn.Sequential:
    """The network of a grammar line: (N, in_channels, H, W) float32 to (N, 3, H, W).

    H and W must be multiples of the total downsampling, or the output is larger by the rest. The
    start padding is left to the caller. variant: takes the place of `in_channels`. The keys of the
    state dict are the positions in the sequence (`0.weight`, `9.body.0.weight`, ...). Raises
    InputError for a bad line.
    """
    variant = variant or Variant(in_channels=in_channels)
    layers = parse_arch(arch, variant.in_channels)
    modules: list[nn.Module] = []
    for layer in layers[:-1]:
        modules.append(_build_layer(layer, variant))
        if _is_normed(layer, variant):
            norm = build_norm(layer.out_channels, variant.norm_eps, variant.norm)
            modules += [norm, nn.ReLU(inplace=True)]
    modules.append(_build_layer(layers[-1], variant))
    if variant.output == "tanh":
        modules.append(nn.Tanh())
    return nn.Sequential(*modules)


def for_painting(network: nn.Sequential, borders: str = "mirrored") -> nn.Sequential:
    """The layers of a network in the order and with the borders that painting and training use.

    mirrored: `d` layers continue their input at the border instead of adding zeros. Zeros are an
    edge that no frame has: on a flat frame (a fade to black) instance norm blows it up to a bright
    frame, 40 pixels wide with five residual blocks; mirrored margins alone would have to be as wide
    as that. as-trained: the numbers stay what they are, up to the order of sums.

    `U, norm, ReLU` becomes `norm, ReLU, U`: nearest upsampling repeats values, so mean and variance
    stay, and the norm costs a fourth. `U2, c3s1` becomes an UpsampledConv2d, a larger kernel behind
    an upsampling a PhasedConv2d (as-trained only where its border is the same). The modules are
    shared with `network`; its keys are not kept.
    """
    modules = list(network)
    for position, module in enumerate(network):
        if isinstance(module, nn.Conv2d) and borders == "mirrored" and module.padding == (1, 1):
            module.padding_mode = "replicate"
        if isinstance(module, nn.Upsample):
            between = 2 if isinstance(modules[position + 1], InstanceNorm) else 0
            following = modules[position + 1 + between]
            merged = _upsampled(module, following, borders)
            behind = modules[position + 1 : position + 1 + between]
            modules[position : position + 2 + between] = [*behind, *merged]
    return nn.Sequential(*modules)


def _upsampled(upsampling: nn.Upsample, following: nn.Module, borders: str) -> list[nn.Module]:
    """An upsampling and the layer behind it, in two modules, merged into one if they can be."""
    factor = upsampling.scale_factor
    if UpsampledConv2d.fits(following, factor):
        return [nn.Identity(), UpsampledConv2d(following)]
    same_border = borders == "mirrored" or pads_with_zeros(following)
    if same_border and isinstance(factor, (int, float)) and PhasedConv2d.fits(following, factor):
        mode = "replicate" if borders == "mirrored" else "constant"
        return [nn.Identity(), PhasedConv2d(following, int(factor), mode)]
    return [upsampling, following]


def _is_normed(layer: Layer, variant: Variant) -> bool:
    """Whether norm and ReLU follow a layer that is not the last."""
    return layer.kind != "R" and (layer.kind != "U" or variant.norm_upsampled)


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
            f"network layer '{token}': shrinks the frame by {new_scale}, at most {MAX_DOWNSAMPLING}"
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


def _build_layer(layer: Layer, variant: Variant) -> nn.Module:
    fan_in, fan_out = layer.in_channels, layer.out_channels
    if layer.kind == "c":
        return build_convolution(fan_in, fan_out, layer.kernel, layer.stride, variant.convolution)
    if layer.kind == "d":
        return nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1)
    if layer.kind == "R":
        return ResidualBlock(fan_out, variant.residual, variant.norm_eps, variant.norm)
    if layer.kind == "u":
        return nn.ConvTranspose2d(fan_in, fan_out, 3, stride=2, padding=1, output_padding=1)
    return nn.Upsample(scale_factor=layer.stride, mode="nearest")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
