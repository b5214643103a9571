"""Checkpoints of style models: reading them from files that nobody vouches for, and writing them.

A checkpoint is what `torch.save` writes: a zip archive of a pickle and one member per tensor. The
pickle holds a dict with `arch` (the grammar of fastvid.style.network), `state_dict`, `mean_bgr`,
`scale` and optionally `style` and `variant` (fastvid.style.variant). Before anything is unpickled
the archive is checked: members stored uncompressed and not larger than the file, and a pickle that
names nothing but tensors. After it, every tensor must have the shape that the grammar asks for and
finite values.
"""

import io
import math
import os
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from fastvid.errors import InputError
from fastvid.style.network import Layer, check_variant, parameter_shapes, parse_arch
from fastvid.style.variant import Variant, variant_from_dict, variant_to_dict

# BGR means of ImageNet and the factor of tanh in Fast Artistic Videos.
MEAN_BGR = (103.939, 116.779, 123.68)
SCALE = 150.0

MAX_FILE_BYTES = 256 << 20
# A style model's pickle names some hundred tensors; 7 KB for the bundled ones.
MAX_PICKLE_BYTES = 4 << 20

_ALLOWED_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch FloatStorage",
    "torch HalfStorage",
    "torch BFloat16Storage",
    "torch DoubleStorage",
    "torch LongStorage",
}
_WAY_OUT = "give a checkpoint written by `fastvid train`"


@dataclass(frozen=True)
class Checkpoint:
    """A verified model: its weights are float32 and fit `arch` and `variant`.

    mean_bgr is subtracted from the 8-bit levels of a frame; they are the output times scale plus
    mean_bgr.
    """

    arch: str
    layers: tuple[Layer, ...]
    weights: dict[str, torch.Tensor]
    mean_bgr: tuple[float, float, float]
    scale: float
    style: str
    variant: Variant = Variant()


def read_checkpoint(source: str | os.PathLike[str] | bytes, name: str = "checkpoint") -> Checkpoint:
    """A verified model from a path or from the bytes of a file.

    Never executes code from the file and never allocates more than its size justifies. Raises
    InputError that starts with the path (or `name`, for bytes) and says what is wrong.
    """
    if not isinstance(source, bytes):
        name = os.fspath(source)
        source = read_checkpoint_bytes(source)
    _check_archive(source, name)
    return _verify(_unpickle(source, name), name)


def read_checkpoint_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a checkpoint file; raises InputError if it can't be read or is far too large."""
    try:
        size = os.stat(path).st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"{os.fspath(path)}: {size >> 20} MB is no style model, at most "
                f"{MAX_FILE_BYTES >> 20} MB; {_WAY_OUT}"
            )
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot read the style: {error.strerror}") from error


def checkpoint_bytes(
    arch: str, weights: dict[str, torch.Tensor], style: str, mean_bgr: tuple[float, ...] = MEAN_BGR,
    scale: float = SCALE, variant: Variant = Variant(),
) -> bytes:
    """The file content of a checkpoint: what `read_checkpoint` reads back with equal weights."""
    stored = {key: weights[key].detach().to("cpu", torch.float32).clone() for key in weights}
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


def _check_archive(data: bytes, name: str) -> None:
    """Reject everything but a plain torch archive of tensors, without unpickling."""
    if not data.startswith(b"PK\x03\x04"):
        raise InputError(f"{name}: not a style model (no torch archive); {_WAY_OUT}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            pickles = [entry for entry in members if entry.filename.endswith("data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE_BYTES:
                raise InputError(f"{name}: not a style model (no torch pickle); {_WAY_OUT}")
            _check_sizes(members, len(data), name)
            _check_pickle(archive.read(pickles[0]), name)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{name}: the style model is damaged or cut off ({error})") from error


def _check_sizes(members: list[zipfile.ZipInfo], file_bytes: int, name: str) -> None:
    unpacked = sum(entry.file_size for entry in members)
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in members)
    if unpacked > file_bytes or not stored:
        raise InputError(
            f"{name}: the style model would unpack to {unpacked} bytes from {file_bytes}; "
            f"refused as unsafe, {_WAY_OUT}"
        )


def _check_pickle(pickle: bytes, name: str) -> None:
    """Allow the names that a dict of tensors needs and nothing that computes a name at run time."""
    for opcode, argument, _ in pickletools.genops(pickle):
        if opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            raise InputError(f"{name}: refused, the file asks to run {opcode.name}; {_WAY_OUT}")
        if opcode.name == "GLOBAL" and argument not in _ALLOWED_GLOBALS:
            called = str(argument).replace(" ", ".")[:80]
            raise InputError(f"{name}: refused, the file asks to run {called}; {_WAY_OUT}")


def _unpickle(data: bytes, name: str) -> object:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # A damaged pickle can raise anything; all of it means the same to the user.
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{name}: the style model is damaged ({reason[0][:160]})") from error


def _verify(content: object, name: str) -> Checkpoint:
    if not isinstance(content, dict) or not {"arch", "state_dict"} <= set(content):
        raise InputError(f"{name}: no style model (`arch` or `state_dict` missing); {_WAY_OUT}")
    arch, state = content["arch"], content["state_dict"]
    if not isinstance(arch, str) or not isinstance(state, dict):
        raise InputError(f"{name}: no style model (`arch` is not a text); {_WAY_OUT}")
    try:
        variant = variant_from_dict(content.get("variant", {}))
        layers = parse_arch(arch, variant.in_channels)
        check_variant(layers, variant)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    mean, scale = content.get("mean_bgr", MEAN_BGR), content.get("scale", SCALE)
    return Checkpoint(
        arch=arch,
        layers=tuple(layers),
        weights=_verified_weights(parameter_shapes(layers, variant), state, name),
        mean_bgr=_three_numbers(mean, name),
        scale=_positive_number(scale, name),
        style=str(content.get("style", ""))[:80],
        variant=variant,
    )


def _verified_weights(
    shapes: dict[str, tuple[int, ...]], state: dict, name: str
) -> dict[str, torch.Tensor]:
    missing = [key for key in shapes if key not in state]
    unknown = [str(key) for key in state if key not in shapes]
    if missing or unknown:
        raise InputError(
            f"{name}: the weights do not fit the network: "
            f"{len(missing)} missing {missing[:3]}, {len(unknown)} unknown {unknown[:3]}"
        )
    return {key: _verified_tensor(key, state[key], shape, name) for key, shape in shapes.items()}


def _verified_tensor(key: str, value: object, shape: tuple[int, ...], name: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise InputError(f"{name}: weight '{key}' is {found}, the network needs {shape}")
    # A view with stride 0 claims any size on a storage of a few bytes.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise InputError(f"{name}: weight '{key}' is larger than what the file holds; {_WAY_OUT}")
    if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
        raise InputError(f"{name}: weight '{key}' holds values that are no finite numbers")
    return value.to(torch.float32).contiguous()


def _three_numbers(value: object, name: str) -> tuple[float, float, float]:
    if isinstance(value, (list, tuple)) and len(value) == 3 and all(map(_is_number, value)):
        return (float(value[0]), float(value[1]), float(value[2]))
    raise InputError(f"{name}: `mean_bgr` must be three numbers, it is {str(value)[:40]}")


def _positive_number(value: object, name: str) -> float:
    if isinstance(value, (int, float)) and _is_number(value) and value > 0:
        return float(value)
    raise InputError(f"{name}: `scale` must be a positive number, it is {str(value)[:40]}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
