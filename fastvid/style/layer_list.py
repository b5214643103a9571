"""From the layers of another program's network, one by one, to the grammar and a variant.

Only networks that the grammar can say are taken. So the same few modules paint all models, and a
layer that would be left out or run otherwise is an error instead.
"""

from dataclasses import dataclass, field
from typing import TypeVar

import torch

from fastvid.errors import InputError
from fastvid.style.layers import CROPPED_PX
from fastvid.style.variant import (
    FRAME_CHANNELS,
    NORM_EPS,
    RECURRENT_CHANNELS,
    Variant,
    variant_to_dict,
)

_T = TypeVar("_T")


@dataclass(frozen=True)
class Pad:
    """Padding by `px` on all sides; mode: reflect, replicate or zero."""

    mode: str
    px: int


@dataclass(frozen=True)
class Conv:
    """weight: (out, in, K, K), transposed (in, out, K, K); bias: (out,); padding: of zeros.

    added: rows and columns that a transposed convolution adds at the end of its output.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    stride: int
    padding: int
    transposed: bool = False
    added: int = 0


@dataclass(frozen=True)
class Norm:
    """A norm: weight and bias (C,); kind: `instance`, or `fixed` (see Variant)."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float = NORM_EPS
    kind: str = "instance"


@dataclass(frozen=True)
class Relu:
    """max(0, x)."""


@dataclass(frozen=True)
class Up:
    """Nearest upsampling by a whole factor."""

    factor: int


@dataclass(frozen=True)
class Residual:
    """Layers whose output is added to their input, without `cropped` pixels on each side of it."""

    body: tuple["Step", ...]
    cropped: int


@dataclass(frozen=True)
class Tanh:
    """The hyperbolic tangent."""


@dataclass(frozen=True)
class Scale:
    """A product with a number."""

    factor: float


Step = Pad | Conv | Norm | Relu | Up | Residual | Tanh | Scale


@dataclass
class _Found:
    """What has been recognised so far; `steps` are still to come, `position` is the next key."""

    steps: list[Step]
    tokens: list[str] = field(default_factory=list)
    state: dict[str, torch.Tensor] = field(default_factory=dict)
    position: int = 0
    start_padding: int = 0
    borders: set[str] = field(default_factory=set)
    block_borders: set[str] = field(default_factory=set)
    upsampled_norms: set[bool] = field(default_factory=set)
    eps: set[float] = field(default_factory=set)
    norms: set[str] = field(default_factory=set)

    def take(self, kind: type) -> Step | None:
        """The next step if it is of a kind."""
        return self.steps.pop(0) if self.steps and isinstance(self.steps[0], kind) else None


def describe(steps: list[Step], order: str, mean_bgr: tuple[float, ...]) -> dict[str, object]:
    """What `checkpoint_bytes` stores of a network: arch, state_dict, scale, mean_bgr, variant.

    steps: from the frame to the picture; order: of the colours, `bgr` or `rgb`; mean_bgr: what is
    subtracted from the frame and added to the picture, in the network's order. Raises InputError
    that names the layer which does not fit the grammar.
    """
    found = _Found(list(steps))
    channels = _input_channels(steps)
    while found.steps and not isinstance(found.steps[0], (Tanh, Scale)):
        _take_layer(found)
    output = "tanh" if found.take(Tanh) else "linear"
    scale = found.take(Scale)
    if found.steps:
        raise _misfit(found, "behind the end of the network")
    variant = Variant(
        in_channels=channels,
        borders="as-trained",
        start_padding=found.start_padding,
        convolution=_only(found.borders, "reflect", "borders of convolutions"),
        residual=_only(found.block_borders, "reflect", "borders of residual blocks"),
        norm_upsampled=_only(found.upsampled_norms, True, "uses of a norm behind upsampling"),
        output=output,
        order=order,
        norm_eps=_only(found.eps, NORM_EPS, "epsilons of norms"),
        norm=_only(found.norms, "instance", "kinds of norms"),
    )
    return {
        "arch": ",".join(found.tokens),
        "state_dict": found.state,
        "scale": scale.factor if isinstance(scale, Scale) else 1.0,
        "mean_bgr": list(mean_bgr),
        "variant": variant_to_dict(variant),
    }


def _input_channels(steps: list[Step]) -> int:
    first = next((step for step in steps if isinstance(step, Conv)), None)
    channels = first.weight.shape[1] if first is not None and first.weight.ndim == 4 else 0
    if channels not in (FRAME_CHANNELS, RECURRENT_CHANNELS):
        raise InputError(
            f"the network takes {channels} channels; a model of single frames takes "
            f"{FRAME_CHANNELS}, a recurrent one {RECURRENT_CHANNELS}"
        )
    return channels


def _take_layer(found: _Found) -> None:
    """Moves one token's worth of steps."""
    if isinstance(block := found.take(Residual), Residual):
        _take_residual(found, block)
    elif isinstance(up := found.take(Up), Up):
        found.tokens.append(f"U{up.factor}")
        found.position += 1
        normed = bool(found.steps) and isinstance(found.steps[0], Norm)
        found.upsampled_norms.add(normed)
        if normed:
            _take_norm(found)
    else:
        _take_convolution(found)


def _take_convolution(found: _Found) -> None:
    pads = []
    while isinstance(pad := found.take(Pad), Pad):
        pads.append(pad)
    conv = found.take(Conv)
    if not isinstance(conv, Conv):
        raise _misfit(found, "where a convolution was expected")
    shape = tuple(conv.weight.shape)
    if len(shape) != 4 or shape[2] != shape[3]:
        raise InputError(f"a convolution with weights of shape {shape}, its kernel is no square")
    kernel = shape[-1]
    if conv.transposed:
        form = (kernel, conv.stride, conv.padding, conv.added)
        if form != (3, 2, 1, 1):
            raise InputError(
                "a transposed convolution must have kernel 3, stride 2, padding 1 and "
                f"add 1, it has {', '.join(map(str, form))}"
            )
        found.tokens.append(f"u{conv.weight.shape[1]}")
    else:
        border = _border(conv, kernel, pads)
        number = conv.weight.shape[0]
        strided = border == "zero" and (kernel, conv.stride) == (3, 2)
        found.tokens.append(f"d{number}" if strided else f"c{kernel}s{conv.stride}-{number}")
        if not strided and kernel > 1:
            found.borders.add(border)
    if pads and not found.position and pads[0].mode == "reflect":
        found.start_padding = pads.pop(0).px
    if pads:
        raise InputError(
            f"padding by {pads[0].px} before layer {found.tokens[-1]} is in no place "
            "that the grammar knows"
        )
    _store(found.state, str(found.position), conv)
    found.position += 1
    if found.steps and not isinstance(found.steps[0], (Tanh, Scale)):
        _take_norm(found)


def _border(conv: Conv, kernel: int, pads: list[Pad]) -> str:
    """How a convolution's input goes on beyond its border; takes its padding out of `pads`."""
    half = kernel // 2
    if conv.padding == half:
        return "zero"
    if conv.padding == 0 and pads and pads[-1].px == half:
        return pads.pop().mode
    raise InputError(
        f"a {kernel}x{kernel} convolution padded by {conv.padding}: its output has another size "
        "than its input, which the grammar allows inside residual blocks alone"
    )


def _take_norm(found: _Found) -> None:
    norm = found.take(Norm)
    if not isinstance(norm, Norm):
        raise _misfit(found, "where an instance norm was expected")
    if not found.take(Relu):
        raise _misfit(found, "where a ReLU was expected")
    _store(found.state, str(found.position), norm)
    found.eps.add(norm.eps)
    found.norms.add(norm.kind)
    found.position += 2


def _take_residual(found: _Found, block: Residual) -> None:
    body = _Found(list(block.body))
    borders = set()
    for number in (0, 3):
        pad = body.take(Pad)
        conv, norm = body.take(Conv), body.take(Norm)
        if not (isinstance(conv, Conv) and isinstance(norm, Norm)) or conv.transposed:
            raise InputError("a residual block must be convolution, norm, ReLU, convolution, norm")
        if number == 0 and not body.take(Relu):
            raise _misfit(body, "where a ReLU was expected, in a residual block")
        if conv.weight.shape[2:] != (3, 3) or conv.stride != 1:
            raise InputError("a residual block must have 3x3 convolutions of stride 1")
        unpadded = pad is None and conv.padding == 0
        pads = [pad] if isinstance(pad, Pad) else []
        borders.add("crop" if unpadded else _border(conv, 3, pads))
        _store(found.state, f"{found.position}.body.{number}", conv)
        _store(found.state, f"{found.position}.body.{number + 1}", norm)
        found.eps.add(norm.eps)
        found.norms.add(norm.kind)
    border = _only(borders, "crop", "borders in one residual block")
    if body.steps or block.cropped != (CROPPED_PX if border == "crop" else 0):
        raise InputError(
            f"a residual block whose shortcut loses {block.cropped} pixels a side and whose "
            f"convolutions have the border '{border}'"
        )
    found.block_borders.add(border)
    # The number of channels a block must have is checked with the grammar.
    found.tokens.append(f"R{found.state[f'{found.position}.body.3.bias'].shape[0]}")
    found.position += 1


def _store(state: dict[str, torch.Tensor], key: str, step: Conv | Norm) -> None:
    state[f"{key}.weight"] = step.weight
    state[f"{key}.bias"] = step.bias


def _only(values: set[_T], default: _T, what: str) -> _T:
    """The one value of a set, or the default of an empty one."""
    if len(values) > 1:
        listed = ", ".join(sorted(map(str, values)))
        raise InputError(f"the network has several {what} ({listed}), the grammar has one")
    return next(iter(values), default)


def _misfit(found: _Found, place: str) -> InputError:
    next_one = type(found.steps[0]).__name__ if found.steps else "the end"
    behind = f" behind {found.tokens[-1]}" if found.tokens else ""
    return InputError(f"the network is not in the grammar: {next_one}{behind}, {place}")
