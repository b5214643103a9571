"""Loss networks: the features whose differences the perceptual losses measure.

VGG-16 or VGG-19 (Simonyan, Zisserman 2014), trained on ImageNet, up to relu4_1, read from a file:
an .npz with `conv1_1.w`, `conv1_1.b`, ... (the original weights: BGR 0..255 minus a mean), or the
state dict of torchvision's models (RGB, normalised).
"""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from fastvid.errors import InputError

VGG_MEAN_BGR = (103.939, 116.779, 123.68)
# torchvision's normalisation, in the units and order that images have here.
TORCHVISION_MEAN_BGR = (255 * 0.406, 255 * 0.456, 255 * 0.485)
TORCHVISION_STD_BGR = (255 * 0.225, 255 * 0.224, 255 * 0.229)

# VGG-19 with its classifier, the largest of them, has 548 MB.
MAX_UNPACKED_BYTES = 1 << 30
POOLINGS = ("max", "mean")
WANTED = (
    "wanted is VGG-19 trained on ImageNet: an .npz with conv1_1.w, conv1_1.b, ... conv4_1.b "
    "(BGR 0..255 minus the mean), or the state dict of torchvision's vgg19 or vgg16, which "
    "its model zoo offers for download. It is not part of fastvid and never fetched by it"
)

# Output channels of the convolutions of each block; a 2 x 2 pool lies between two blocks.
_CHANNELS = (64, 128, 256, 512)
_VGG16 = (2, 2, 3, 1)
_VGG19 = (2, 2, 4, 1)


@dataclass(frozen=True)
class FeatureLayers:
    """Which features stand for the content and which for the style."""

    content: tuple[str, ...]
    style: tuple[str, ...]


class LossNetwork(torch.nn.Module):
    """Feature maps of images by VGG; its weights are frozen.

    weights: name of each convolution (`1_1` .. `4_1`) to weight (out, in, 3, 3), which reads BGR,
    and bias. mean_bgr, std_bgr: of the levels 0..255 that it was trained on. pooling: of POOLINGS;
    VGG was trained with maxima, Gatys, Ecker, Bethge 2016 found means smoother.
    """

    layers = FeatureLayers(
        content=("relu3_1", "relu4_1"), style=("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    )

    def __init__(
        self,
        weights: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
        mean_bgr: tuple[float, ...],
        std_bgr: tuple[float, ...],
        pooling: str = "max",
    ) -> None:
        super().__init__()
        self.convolutions = tuple(weights)
        self.pooling = pooling
        # Image numbers have few digits, features many: the first ones stay in single precision.
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(mean_bgr).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std_bgr).reshape(1, 3, 1, 1))
        for name, (weight, bias) in weights.items():
            self.register_buffer(f"weight{name}", weight)
            self.register_buffer(f"bias{name}", bias)

    def prepared(self, device: torch.device, dtype: torch.dtype) -> "LossNetwork":
        """This network on a device, with convolutions and features of `dtype` from now on."""
        self.to(device)
        for name in self.convolutions:
            for part in ("weight", "bias"):
                buffer = self.get_buffer(part + name)
                layout = torch.channels_last if buffer.ndim == 4 else torch.contiguous_format
                setattr(self, part + name, buffer.to(dtype, memory_format=layout))
        return self

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, 3, H, W) float32 BGR 0..255 to features (N, C, h, w) by the names of `layers`.

        Features of layer reluB_I have 1 / 2^(B - 1) of the sides.
        """
        wanted = {*self.layers.content, *self.layers.style}
        found: dict[str, torch.Tensor] = {}
        weight = self.get_buffer(f"weight{self.convolutions[0]}")
        current = ((images - self.mean) / self.std).to(weight.dtype)
        for name in self.convolutions:
            block, number = name.split("_")
            if number == "1" and block != "1":
                current = self._pooled(current)
            weight, bias = self.get_buffer(f"weight{name}"), self.get_buffer(f"bias{name}")
            current = F.relu(F.conv2d(current, weight, bias, padding=1), inplace=True)
            if f"relu{name}" in wanted:
                found[f"relu{name}"] = current
        return found

    def _pooled(self, features: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(features, 2) if self.pooling == "max" else F.avg_pool2d(features, 2)


def load_loss_network(path: str, pooling: str = "max") -> LossNetwork:
    """The loss network in a file; pooling: of POOLINGS.

    Never executes code from the file. Raises InputError that names the file and what does not fit.
    """
    arrays = _read_weights(path)
    if "conv1_1.w" in arrays:
        names = {name: f"conv{name}" for name in _convolutions(_blocks(arrays, "conv3_4.w"))}
        weights = _checked_weights(arrays, names, (".w", ".b"), path)
        return LossNetwork(weights, VGG_MEAN_BGR, (1.0, 1.0, 1.0), pooling)
    if "features.0.weight" in arrays:
        names = _torchvision_names(_blocks(arrays, "features.34.weight"))
        weights = _checked_weights(arrays, names, (".weight", ".bias"), path)
        first, bias = weights["1_1"]
        # torchvision's first layer reads RGB, images here are BGR.
        weights["1_1"] = first.flip(1), bias
        return LossNetwork(weights, TORCHVISION_MEAN_BGR, TORCHVISION_STD_BGR, pooling)
    raise InputError(f"{path}: no loss network that is known here; {WANTED}")


def _blocks(arrays: Mapping[str, np.ndarray], only_in_vgg19: str) -> tuple[int, ...]:
    return _VGG19 if only_in_vgg19 in arrays else _VGG16


def _convolutions(blocks: tuple[int, ...]) -> list[str]:
    """`1_1`, `1_2`, `2_1`, ... as far as features are wanted."""
    return [
        f"{block + 1}_{number + 1}" for block, count in enumerate(blocks) for number in range(count)
    ]


def _torchvision_names(blocks: tuple[int, ...]) -> dict[str, str]:
    """Convolution to its key in torchvision's list, where a ReLU follows each and pools count."""
    names, position = {}, 0
    for block, count in enumerate(blocks):
        for number in range(count):
            names[f"{block + 1}_{number + 1}"] = f"features.{position}"
            position += 2
        position += 1
    return names


def _checked_weights(
    arrays: Mapping[str, np.ndarray], names: Mapping[str, str], suffixes: tuple[str, str], path: str
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias of every convolution, of the shapes that VGG has."""
    weights, channels = {}, 3
    for name, key in names.items():
        out = _CHANNELS[int(name[0]) - 1]
        weight = _checked(arrays, key + suffixes[0], (out, channels, 3, 3), path)
        weights[name] = weight, _checked(arrays, key + suffixes[1], (out,), path)
        channels = out
    return weights


def _read_weights(path: str) -> dict[str, np.ndarray]:
    try:
        if _is_npz(path):
            with np.load(path, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"{path}: cannot read the loss network: {error.strerror}; {WANTED}"
        ) from error
    except (ValueError, RuntimeError, EOFError, zipfile.BadZipFile, pickle.PickleError) as error:
        reason = (str(error).strip().splitlines() or ["damaged"])[0][:160]
        raise InputError(f"{path}: no loss network ({reason}); {WANTED}") from error
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
