"""From a style's name, its file or the bytes of that to a model that paints."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
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


@dataclass(frozen=True)
class StyleFile:
    """A checkpoint as it lies in its file and travels to other ranks: not yet verified."""

    name: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """What identifies the checkpoint in a run file."""
        return hashlib.sha256(self.data).hexdigest()


def load_model(data: bytes, name: str, where: str | None = None) -> StyleModel:
    """The model in the bytes of a checkpoint file: a RecurrentModel if it takes 7 channels.

    where: as messages call the file, where that is not the name. Raises InputError as
    `read_checkpoint`.
    """
    style = StyleFile(name, data)
    checkpoint = read_checkpoint(data, where or name)
    recurrent = checkpoint.variant.kind == RecurrentModel.kind
    kind = RecurrentModel if recurrent else StyleModel
    return kind(checkpoint, name, style.sha256)


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


def read_style(name_or_path: str) -> StyleFile:
    """The checkpoint of a bundled name, a path, or a mixture of these (fastvid.style.mixing).

    Raises InputError if there is no such style, or if styles can't be mixed.
    """
    if is_mixture(name_or_path):
        return _read_mixture(name_or_path)
    path = find_style(name_or_path)
    return StyleFile(Path(path).stem, read_checkpoint_bytes(path))


def load_style(name_or_path: str) -> StyleModel:
    """The model of a bundled name, a path, or a mixture of these: a RecurrentModel if it takes 7
    channels.

    Raises InputError if there is no such style or its file is no verified model.
    """
    style = read_style(name_or_path)
    where = None if is_mixture(name_or_path) else find_style(name_or_path)
    return load_model(style.data, style.name, where)


def _read_mixture(text: str) -> StyleFile:
    """A mixture as a checkpoint; its name has the files without their folders."""
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
    return StyleFile(name, data)
