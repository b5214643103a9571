"""From the bytes of a checkpoint file to a model that paints."""

import hashlib

from fastvid.errors import InputError
from fastvid.style.checkpoint import read_checkpoint
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
        raise InputError(f"{name}: a recurrent model (7 channels), where a model of single frames "
                         "(3 channels) is wanted")
    return model


def load_recurrent(data: bytes, name: str) -> RecurrentModel:
    """As `load_model`; raises InputError for a frame model."""
    model = load_model(data, name)
    if not isinstance(model, RecurrentModel):
        raise InputError(f"{name}: a model of single frames (3 channels), where a recurrent one "
                         "(7 channels) is wanted")
    return model
