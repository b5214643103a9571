"""State dicts of other PyTorch programs: their keys give away whose network it is.

A state dict has no layers, only weights. The layer lists are those of the programs' own models;
channels, kernels and the number of residual blocks are taken from the weights.
"""

import re
from collections.abc import Callable

import torch

from fastvid.errors import InputError
from fastvid.style.layer_list import (
    Conv,
    Norm,
    Pad,
    Relu,
    Residual,
    Scale,
    Step,
    Tanh,
    Up,
    describe,
)
from fastvid.style.layers import CROPPED_PX
from fastvid.style.variant import NORM_EPS

VIDEO_PORT = "fast-artistic-videos-pytorch"
EXAMPLES = "PyTorch examples, fast_neural_style"

# tanh times 150, as `-tanh_constant` of Fast Artistic Videos.
_PORT_SCALE = 150.0
# Batch norm stores what it has counted, and in evaluation norms every picture by it. Instance norm
# takes its statistics from the picture: what old versions stored of it (and they did not count
# pictures) is of no use.
_COUNTED = "num_batches_tracked"
_STATISTICS = re.compile(r".*\.(running_mean|running_var|num_batches_tracked)")


# Keys under which programs put a state dict beside other things, and what DataParallel puts in
# front of each key.
_WRAPPINGS = ("state_dict", "model_state_dict", "model", "net", "network", "params")
_PARALLEL = "module."


def unwrapped(content: object) -> object:
    """The state dict in what a program saved: by itself, under a key, of a DataParallel."""
    if not isinstance(content, dict) or "arch" in content:
        return content
    for key in _WRAPPINGS:
        inner = content.get(key)
        if isinstance(inner, dict) and any(isinstance(v, torch.Tensor) for v in inner.values()):
            return unwrapped(inner)
    if content and all(str(key).startswith(_PARALLEL) for key in content):
        return {str(key).removeprefix(_PARALLEL): value for key, value in content.items()}
    return content


def state_dict_source(content: object) -> str | None:
    """Whose state dict it is: VIDEO_PORT, EXAMPLES, or None for neither."""
    if not isinstance(content, dict):
        return None
    if "conv1.conv2d.weight" in content:
        return EXAMPLES
    return VIDEO_PORT if "1.weight" in content and "0.weight" not in content else None


def state_dict_content(
    content: dict[object, object], mean_bgr: tuple[float, ...]
) -> dict[str, object]:
    """What a project's checkpoint would hold of a state dict that has a source.

    Raises InputError that names the first key that is missing, unknown, or no tensor.
    """
    weights = _Weights(content)
    if state_dict_source(content) == EXAMPLES:
        steps = _examples_steps(weights)
        described = describe(steps, order="rgb", mean_bgr=(0.0, 0.0, 0.0))
    else:
        steps = _video_port_steps(weights)
        described = describe(steps, order="bgr", mean_bgr=mean_bgr)
    weights.check_all_used()
    return described


class _Weights:
    """A state dict that knows which of its tensors were asked for."""

    def __init__(self, content: dict[object, object]) -> None:
        self._tensors = {
            str(key): value for key, value in content.items() if not _STATISTICS.fullmatch(str(key))
        }
        self._unused = set(self._tensors)
        self._statistics = {
            str(key): value for key, value in content.items() if _STATISTICS.fullmatch(str(key))
        }

    def __contains__(self, key: str) -> bool:
        return key in self._tensors

    def _tensor(self, key: str) -> torch.Tensor:
        tensor = self._tensors.get(key)
        if not isinstance(tensor, torch.Tensor):
            raise InputError(f"'{key}' is missing or no tensor")
        self._unused.discard(key)
        return tensor

    def kernel(self, key: str) -> int:
        """The width of a convolution's kernel."""
        weight = self._tensor(f"{key}.weight")
        if weight.ndim != 4:
            raise InputError(
                f"'{key}.weight' has the shape {tuple(weight.shape)}, it should be "
                "that of a convolution"
            )
        return weight.shape[-1]

    def conv(self, key: str, stride: int, padding: int, transposed: bool = False) -> Conv:
        """The convolution of a key; transposed, it adds a row and a column as `u` does."""
        weight, bias = self._tensor(f"{key}.weight"), self._tensor(f"{key}.bias")
        return Conv(weight, bias, stride, padding, transposed, added=int(transposed))

    def norm(self, key: str) -> Norm:
        """The instance norm of a key, or the batch norm, as it runs in evaluation."""
        weight, bias = self._tensor(f"{key}.weight"), self._tensor(f"{key}.bias")
        mean, variance, counted = (
            self._statistics.get(f"{key}.{name}")
            for name in ("running_mean", "running_var", _COUNTED)
        )
        if not isinstance(mean, torch.Tensor) or not isinstance(variance, torch.Tensor):
            return Norm(weight, bias)
        if counted is None:
            return Norm(weight, bias)
        if not mean.shape == variance.shape == weight.shape == bias.shape:
            raise InputError(f"the statistics of '{key}' have another shape than its weight")
        factor = weight.double() / torch.sqrt(variance.double() + NORM_EPS)
        addend = bias.double() - mean.double() * factor
        return Norm(factor.float(), addend.float(), kind="fixed")

    def check_all_used(self) -> None:
        """Raises InputError if there is a weight that no layer took."""
        if self._unused:
            some = ", ".join(sorted(self._unused)[:3])
            raise InputError(f"{len(self._unused)} unknown weights ({some})")


def _video_port_steps(weights: _Weights) -> list[Step]:
    """Keys are positions in a Sequential; 0 is the padding, ReLU and upsampling have no weights."""
    steps: list[Step] = []
    for position, stride in ((1, 1), (4, 2), (7, 2)):
        steps += _zero_padded(weights, position, stride)
    position, blocks = 10, 0
    while f"{position}.0.0.0.weight" in weights:
        inner = f"{position}.0.0"
        body = _block(
            weights,
            lambda key: [weights.conv(key, 1, 0)],
            (f"{inner}.0", f"{inner}.1", f"{inner}.3", f"{inner}.4"),
        )
        steps.append(Residual(body, CROPPED_PX))
        position, blocks = position + 1, blocks + 1
    # A block crops features, of which each stands for 4 pixels here.
    start: list[Step] = [Pad("reflect", blocks * CROPPED_PX * 4)] if blocks else []
    if f"{position}.weight" in weights:  # image models end in u64,u32,c9s1-3
        for place in (position, position + 3):
            conv = weights.conv(str(place), 2, 1, transposed=True)
            steps += [conv, weights.norm(str(place + 1)), Relu()]
        last = str(position + 6)
    else:
        steps += [Up(2), weights.norm(str(position + 1)), Relu()]
        steps += _zero_padded(weights, position + 3, 1)
        steps += [Up(2), weights.norm(str(position + 7)), Relu()]
        last = str(position + 9)
    steps += [weights.conv(last, 1, weights.kernel(last) // 2), Tanh(), Scale(_PORT_SCALE)]
    return start + steps


def _zero_padded(weights: _Weights, position: int, stride: int) -> list[Step]:
    key = str(position)
    conv = weights.conv(key, stride, weights.kernel(key) // 2)
    return [conv, weights.norm(str(position + 1)), Relu()]


def _examples_steps(weights: _Weights) -> list[Step]:
    def reflected(key: str, stride: int = 1) -> list[Step]:
        conv = f"{key}.conv2d"
        return [Pad("reflect", weights.kernel(conv) // 2), weights.conv(conv, stride, 0)]

    steps: list[Step] = []
    for number, stride in ((1, 1), (2, 2), (3, 2)):
        steps += [*reflected(f"conv{number}", stride), weights.norm(f"in{number}"), Relu()]
    number = 1
    while f"res{number}.conv1.conv2d.weight" in weights:
        keys = tuple(f"res{number}.{part}" for part in ("conv1", "in1", "conv2", "in2"))
        steps.append(Residual(_block(weights, reflected, keys), 0))
        number += 1
    for number in (1, 2):
        layers = reflected(f"deconv{number}")
        steps += [Up(2), *layers, weights.norm(f"in{number + 3}"), Relu()]
    return steps + reflected("deconv3")


def _block(
    weights: _Weights, convolution: Callable[[str], list[Step]], keys: tuple[str, ...]
) -> tuple[Step, ...]:
    """The body of a residual block; keys: of convolution, norm, convolution, norm."""
    first, second = convolution(keys[0]), convolution(keys[2])
    return (*first, weights.norm(keys[1]), Relu(), *second, weights.norm(keys[3]))
