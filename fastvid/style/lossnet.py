"""Loss networks: the features whose differences the perceptual losses measure.

Read from a file: SqueezeNet v1.0 (Iandola 2016) as an .npz of `conv1.w`, `fireK/s.w`, ..., or the
state dict of torchvision's VGG-16 or VGG-19. Only the layers that the losses need are computed.
"""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from fastvid.errors import InputError

SQUEEZENET_MEAN_BGR = (104.0, 117.0, 123.0)
# torchvision's normalisation, in the units and order that images have here.
VGG_MEAN_BGR = tuple(255 * value for value in (0.406, 0.456, 0.485))
VGG_STD_BGR = tuple(255 * value for value in (0.225, 0.224, 0.229))

# VGG-19 with its classifier, the largest of them, has 548 MB.
MAX_UNPACKED_BYTES = 1 << 30

_FIRE = {
    2: (96, 16, 64),
    3: (128, 16, 64),
    4: (128, 32, 128),
    5: (256, 32, 128),
    6: (256, 48, 192),
    7: (384, 48, 192),
    8: (384, 64, 256),
    9: (512, 64, 256),
}
# torchvision's `features`: output channels of each convolution, M for a 2 x 2 maximum.
_VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512)
_VGG19 = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512)


@dataclass(frozen=True)
class FeatureLayers:
    """Which features stand for the content and which for the style."""

    content: str
    style: tuple[str, ...]


class LossNetwork(torch.nn.Module):
    """Feature maps of images, (N, 3, H, W) float32 BGR 0..255; weights are frozen."""

    layers: FeatureLayers

    def __init__(self, mean_bgr: tuple[float, ...], std_bgr: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean_bgr).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std_bgr).reshape(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Name to features (N, C, h, w) of the layers that `layers` lists."""
        return self._features((images - self.mean) / self.std)

    def _features(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        raise NotImplementedError


class SqueezeNet(LossNetwork):
    """SqueezeNet v1.0 up to fire8; content at 1/4, style at 1/2, 1/4 and 1/8 of the size."""

    layers = FeatureLayers("fire4", ("conv1", "fire2", "fire4", "fire6", "fire8"))
    last_fire = 8

    def __init__(self, weights: Mapping[str, np.ndarray], name: str) -> None:
        super().__init__(SQUEEZENET_MEAN_BGR, (1.0, 1.0, 1.0))
        shapes = {"conv1": (96, 3, 7, 7)}
        for number in range(2, self.last_fire + 1):
            fan_in, squeeze, expand = _FIRE[number]
            shapes[f"fire{number}/s"] = (squeeze, fan_in, 1, 1)
            shapes[f"fire{number}/e1"] = (expand, squeeze, 1, 1)
            shapes[f"fire{number}/e3"] = (expand, squeeze, 3, 3)
        for layer, shape in shapes.items():
            weight = _checked(weights, f"{layer}.w", shape, name)
            bias = _checked(weights, f"{layer}.b", shape[:1], name)
            self.register_buffer(_buffer(layer, "w"), weight)
            self.register_buffer(_buffer(layer, "b"), bias)

    def _features(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        current = found["conv1"] = self._conv("conv1", images, stride=2)
        for number in range(2, self.last_fire + 1):
            if number in (2, 5):
                current = F.max_pool2d(current, 3, 2, ceil_mode=True)
            squeezed = self._conv(f"fire{number}/s", current)
            expanded = [
                self._conv(f"fire{number}/e1", squeezed),
                self._conv(f"fire{number}/e3", squeezed, padding=1),
            ]
            current = found[f"fire{number}"] = torch.cat(expanded, 1)
        return {layer: found[layer] for layer in {self.layers.content, *self.layers.style}}

    def _conv(
        self, layer: str, images: torch.Tensor, stride: int = 1, padding: int = 0
    ) -> torch.Tensor:
        weight, bias = self.get_buffer(_buffer(layer, "w")), self.get_buffer(_buffer(layer, "b"))
        return F.relu(F.conv2d(images, weight, bias, stride=stride, padding=padding))


class Vgg(LossNetwork):
    """VGG-16 or VGG-19 up to relu4_3; layers as in Johnson, Alahi, Fei-Fei 2016."""

    layers = FeatureLayers("relu3_3", ("relu1_2", "relu2_2", "relu3_3", "relu4_3"))

    def __init__(self, weights: Mapping[str, np.ndarray], name: str) -> None:
        super().__init__(VGG_MEAN_BGR, VGG_STD_BGR)
        plan = _VGG19 if "features.34.weight" in weights else _VGG16
        self.steps: list[tuple[str, int]] = []
        channels, position, block, number = 3, 0, 1, 0
        for entry in plan:
            if isinstance(entry, str):
                self.steps.append(("pool", 0))
                position, block, number = position + 1, block + 1, 0
                continue
            shape = (entry, channels, 3, 3)
            weight = _checked(weights, f"features.{position}.weight", shape, name)
            bias = _checked(weights, f"features.{position}.bias", shape[:1], name)
            # torchvision's first layer reads RGB, images here are BGR.
            weight = weight.flip(1) if position == 0 else weight
            self.register_buffer(f"weight{position}", weight)
            self.register_buffer(f"bias{position}", bias)
            channels, number = entry, number + 1
            self.steps.append((f"relu{block}_{number}", position))
            position += 2

    def _features(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        wanted = {self.layers.content, *self.layers.style}
        found: dict[str, torch.Tensor] = {}
        for step, position in self.steps:
            if step == "pool":
                images = F.max_pool2d(images, 2)
                continue
            weight = self.get_buffer(f"weight{position}")
            bias = self.get_buffer(f"bias{position}")
            images = F.relu(F.conv2d(images, weight, bias, padding=1))
            if step in wanted:
                found[step] = images
            if len(found) == len(wanted):
                break
        return found


def load_loss_network(path: str) -> LossNetwork:
    """The loss network in a file: .npz of SqueezeNet, or a torchvision state dict of VGG-16/19.

    Never executes code from the file. Raises InputError that names the file and what does not fit.
    """
    weights = _read_weights(path)
    if "conv1.w" in weights:
        return SqueezeNet(weights, path)
    if "features.0.weight" in weights:
        return Vgg(weights, path)
    raise InputError(
        f"{path}: no loss network; give SqueezeNet v1.0 (.npz with conv1.w, fire2/s.w, ...) "
        "or torchvision's state dict of VGG-16 or VGG-19"
    )


def _read_weights(path: str) -> dict[str, np.ndarray]:
    try:
        if _is_npz(path):
            with np.load(path, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot read the loss network: {error}") from error
    except (ValueError, RuntimeError, EOFError, zipfile.BadZipFile, pickle.PickleError) as error:
        reason = (str(error).strip().splitlines() or ["damaged"])[0][:160]
        raise InputError(f"{path}: no loss network ({reason})") from error
    if not isinstance(state, dict):
        raise InputError(f"{path}: no loss network (a {type(state).__name__}, not a state dict)")
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    return {str(key): value.float().numpy() for key, value in tensors.items()}


def _is_npz(path: str) -> bool:
    """Whether a file is an archive of arrays; raises ValueError if it would unpack to too much."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        raise ValueError(f"it would unpack to more than {MAX_UNPACKED_BYTES >> 20} MB")
    return all(member.filename.endswith(".npy") for member in members)


def _checked(
    weights: Mapping[str, np.ndarray], key: str, shape: tuple[int, ...], name: str
) -> torch.Tensor:
    if key not in weights:
        raise InputError(f"{name}: the loss network lacks '{key}'")
    value = weights[key]
    if tuple(value.shape) != shape:
        raise InputError(f"{name}: '{key}' of the loss network is {value.shape}, needed {shape}")
    if not np.isfinite(value).all():
        raise InputError(f"{name}: '{key}' of the loss network holds values that are not finite")
    return torch.from_numpy(np.array(value, np.float32))


def _buffer(layer: str, part: str) -> str:
    """Buffers can't have dots or slashes in their names."""
    return f"{layer.replace('/', '_')}_{part}"
