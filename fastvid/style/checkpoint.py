"""Checkpoints of style models: reading them from files that nobody vouches for, and writing them.

The project's own is what `torch.save` writes of a dict with `arch` (the grammar of
fastvid.style.network), `state_dict`, `mean_bgr`, `scale` and optionally `style` and `variant`
(fastvid.style.variant). Models of other programs are brought into that form first. Then every
tensor must have the shape that the grammar asks for and finite values.
"""

import io
import math
import os
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fastvid.errors import InputError
from fastvid.style.archive import WAY_OUT, is_archive, read_archive
from fastvid.style.legacy_archive import is_legacy_archive, read_legacy_archive
from fastvid.style.network import Layer, check_variant, parameter_shapes, parse_arch
from fastvid.style.state_dicts import state_dict_content, state_dict_source, unwrapped
from fastvid.style.torch7 import is_torch7
from fastvid.style.torch7_model import BYTES_PER_NUMBER, torch7_content
from fastvid.style.variant import Variant, variant_from_dict, variant_to_dict

# BGR means of ImageNet and the factor of tanh in Fast Artistic Videos.
MEAN_BGR = (103.939, 116.779, 123.68)
SCALE = 150.0

MAX_FILE_BYTES = 256 << 20
OWN_FORMAT = "fastvid"
TORCH7 = "Torch7"


@dataclass(frozen=True)
class Checkpoint:
    """A verified model: its weights are float32 and fit `arch` and `variant`.

    mean_bgr is subtracted from the 8-bit levels of a frame, whose painted levels are the output
    times scale plus mean_bgr. source: the program or format that the file is of.
    """

    arch: str
    layers: tuple[Layer, ...]
    weights: dict[str, torch.Tensor]
    mean_bgr: tuple[float, float, float]
    scale: float
    style: str
    variant: Variant = Variant()
    source: str = OWN_FORMAT


def read_checkpoint(source: str | os.PathLike[str] | bytes, name: str = "checkpoint") -> Checkpoint:
    """A verified model from a path or from the bytes of a file.

    Never executes code from the file and never allocates more than its size justifies. Raises
    InputError that starts with the path (or `name`, for bytes) and says what is wrong.
    """
    if not isinstance(source, bytes):
        name = os.fspath(source)
        source = read_checkpoint_bytes(source)
    content, program = _read_content(source, name)
    return _verify(content, program, len(source), name)


def read_checkpoint_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a checkpoint file; raises InputError if it can't be read or is far too large."""
    try:
        size = os.stat(path).st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"{os.fspath(path)}: {size >> 20} MB is no style model, at most "
                f"{MAX_FILE_BYTES >> 20} MB; {WAY_OUT}"
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot read the style: {error.strerror}") from error


def checkpoint_bytes(
    arch: str,
    weights: dict[str, torch.Tensor],
    style: str,
    mean_bgr: tuple[float, ...] = MEAN_BGR,
    scale: float = SCALE,
    variant: Variant = Variant(),
    dtype: torch.dtype = torch.float32,
) -> bytes:
    """The file content of a checkpoint: what `read_checkpoint` reads back with equal weights.

    dtype: of the stored weights; float16 halves the file and rounds them to 11 digits of binary.
    """
    stored = {key: weights[key].detach().to("cpu", dtype).clone() for key in weights}
    content: dict[str, object] = {
        "arch": arch,
        "state_dict": stored,
        "mean_bgr": [float(value) for value in mean_bgr],
        "scale": float(scale),
        "style": style,
    }
    if variant != Variant():
        content["variant"] = variant_to_dict(variant)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _read_content(data: bytes, name: str) -> tuple[object, str]:
    """What the project's own checkpoint holds or would hold, and whose format the file has."""
    if is_torch7(data):
        return torch7_content(data, name, MEAN_BGR), TORCH7
    if is_archive(data):
        content = read_archive(data, name)
    elif is_legacy_archive(data):
        content = read_legacy_archive(data, name)
    else:
        raise InputError(f"{name}: not a style model (neither of PyTorch nor of Torch7); {WAY_OUT}")
    content = unwrapped(content)
    program = state_dict_source(content)
    if program is None or not isinstance(content, dict):
        return content, OWN_FORMAT
    try:
        return state_dict_content(content, MEAN_BGR), program
    except InputError as error:
        raise InputError(f"{name}: a state dict of {program}, but {error}") from error


def _verify(content: object, program: str, file_bytes: int, name: str) -> Checkpoint:
    if not isinstance(content, dict) or not {"arch", "state_dict"} <= set(content):
        raise InputError(f"{name}: no style model (`arch` or `state_dict` missing); {WAY_OUT}")
    arch, state = content["arch"], content["state_dict"]
    if not isinstance(arch, str) or not isinstance(state, dict):
        raise InputError(f"{name}: no style model (`arch` is not a text); {WAY_OUT}")
    try:
        variant = variant_from_dict(content.get("variant", {}))
        layers = parse_arch(arch, variant.in_channels)
        check_variant(layers, variant)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    _check_total(state, file_bytes, name)
    style = content.get("style")
    mean, scale = content.get("mean_bgr", MEAN_BGR), content.get("scale", SCALE)
    return Checkpoint(
        arch=arch,
        layers=tuple(layers),
        weights=_verified_weights(parameter_shapes(layers, variant), state, name),
        mean_bgr=_three_numbers(mean, name),
        scale=_positive_number(scale, name),
        style=style[:80] if isinstance(style, str) else "",
        variant=variant,
        source=program,
    )


def _verified_weights(
    shapes: dict[str, tuple[int, ...]], state: dict[Any, Any], name: str
) -> dict[str, torch.Tensor]:
    missing = [key for key in shapes if key not in state]
    unknown = [str(key) for key in state if key not in shapes]
    if missing or unknown:
        raise InputError(
            f"{name}: the weights do not fit the network: "
            f"{len(missing)} missing {missing[:3]}, {len(unknown)} unknown {unknown[:3]}"
        )
    return {key: _verified_tensor(key, state[key], shape, name) for key, shape in shapes.items()}


def _check_total(state: dict[Any, Any], file_bytes: int, name: str) -> None:
    """Refuses tensors that share a storage and are larger together than what a file can hold."""
    numbers = sum(value.numel() for value in state.values() if isinstance(value, torch.Tensor))
    if numbers * BYTES_PER_NUMBER > file_bytes:
        raise InputError(f"{name}: the weights are larger than what the file holds; {WAY_OUT}")


def _verified_tensor(key: str, value: object, shape: tuple[int, ...], name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise InputError(f"{name}: weight '{key}' is {found}, the network needs {shape}")
    # A view with stride 0 claims any size on a storage of a few bytes.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise InputError(f"{name}: weight '{key}' is larger than what the file holds; {WAY_OUT}")
    if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
        raise InputError(f"{name}: weight '{key}' holds values that are no finite numbers")
    return value.to(torch.float32).contiguous()


def _three_numbers(value: object, name: str) -> tuple[float, float, float]:
    if isinstance(value, (list, tuple)) and len(value) == 3 and all(map(_is_number, value)):
        return (float(value[0]), float(value[1]), float(value[2]))
    raise InputError(f"{name}: `mean_bgr` must be three numbers, it is {reprlib.repr(value)[:40]}")


def _positive_number(value: object, name: str) -> float:
    if isinstance(value, (int, float)) and _is_number(value) and value > 0:
        return float(value)
    raise InputError(f"{name}: `scale` must be a positive number, it is {reprlib.repr(value)[:40]}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
