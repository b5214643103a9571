"""From a style's name, its file or the bytes of that to a model that paints."""

import hashlib
import os
from pathlib import Path

from fastvid.errors import InputError
from fastvid.style.cards import find_style
from fastvid.style.checkpoint import checkpoint_bytes, read_checkpoint, read_checkpoint_bytes
from fastvid.style.mixing import (
    PARTS,
    SHARE,
    check_same_network,
    is_mixture,
    mixed,
    parse_mixture,
)
from fastvid.style.model import StyleModel
from fastvid.style.recurrent import RecurrentModel


def load_model(data: bytes, name: str) -> StyleModel:
    """The model in the bytes of a checkpoint file: a RecurrentModel if it takes 7 channels.

    Raises InputError as `read_checkpoint`.
    """
    checkpoint = read_checkpoint(data, name)
    recurrent = checkpoint.variant.kind == RecurrentModel.kind
    kind = RecurrentModel if recurrent else StyleModel
    return kind(checkpoint, name, hashlib.sha256(data).hexdigest())


def load_frame_model(data: bytes, name: str) -> StyleModel:
    """As `load_model`; raises InputError for a recurrent model."""
    model = load_model(data, name)
    if isinstance(model, RecurrentModel):
        raise InputError(
            f"{name}: a recurrent model (7 channels), where a model of single frames "
            "(3 channels) is wanted"
        )
    return model


def load_recurrent(data: bytes, name: str) -> RecurrentModel:
    """As `load_model`; raises InputError for a frame model."""
    model = load_model(data, name)
    if not isinstance(model, RecurrentModel):
        raise InputError(
            f"{name}: a model of single frames (3 channels), where a recurrent one "
            "(7 channels) is wanted"
        )
    return model


def read_style(name_or_path: str) -> tuple[str, bytes]:
    """A style's name and its checkpoint's bytes, not yet verified; for sending to other ranks.

    A mixture (fastvid.style.mixing) is a style of its own. Raises InputError if there is no such
    style, or if styles can't be mixed.
    """
    if is_mixture(name_or_path):
        return _read_mixture(name_or_path)
    path = find_style(name_or_path)
    return Path(path).stem, read_checkpoint_bytes(path)


def load_style(name_or_path: str | bytes, name: str = "style") -> StyleModel:
    """The model of a bundled name, a path, a mixture of these, or a checkpoint's bytes (then called
    `name`): a RecurrentModel if it takes 7 channels.

    Raises InputError if there is no such style or its file is no verified model.
    """
    if isinstance(name_or_path, bytes):
        return load_model(name_or_path, name)
    stem, data = read_style(name_or_path)
    mixture = is_mixture(name_or_path)
    model = load_model(data, stem if mixture else os.fspath(find_style(name_or_path)))
    model.name = stem
    return model


def _read_mixture(text: str) -> tuple[str, bytes]:
    """The name of a mixture, in which files are named without their folders, and its bytes."""
    parts = parse_mixture(text)
    paths = [find_style(part.style) for part in parts]
    checkpoints = [read_checkpoint(path) for path in paths]
    check_same_network(checkpoints, [part.style for part in parts])
    style = mixed(checkpoints, [part.share for part in parts])
    stems = [Path(path).stem for path in paths]
    shares = [f"{part.share:.3g}" for part in parts]
    name = PARTS.join(f"{stem}{SHARE}{share}" for stem, share in zip(stems, shares, strict=True))
    data = checkpoint_bytes(
        style.arch, style.weights, name, style.mean_bgr, style.scale, style.variant
    )
    return name, data


def style_sha256(data: bytes) -> str:
    """The hash that identifies a checkpoint in a run file."""
    return hashlib.sha256(data).hexdigest()
