"""The state of a training run on disk: all that is needed to go on as if nothing had happened."""

import io
import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from fastvid.errors import InputError

STATE_NAME = "state.pt"
# States that were saved before these were noted lack them, and are continued all the same.
_NOTED_LATER = {"ranks": "on how many ranks it was trained; go on with as many"}

_LOG = logging.getLogger(__name__)


def state_bytes(state: dict[str, object]) -> bytes:
    """The content of a state file."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def read_state_bytes(folder: Path) -> bytes | None:
    """The state file of a run, None for a new run."""
    try:
        return (folder / STATE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{folder / STATE_NAME}: cannot read: {error.strerror}") from error


def parse_state(data: bytes, folder: Path, identity: dict[str, object]) -> dict[str, Any]:
    """The state in the bytes of a file, if it belongs to a run with this identity.

    Raises InputError if the file is damaged, or names the first setting in which the runs differ.
    """
    path = folder / STATE_NAME
    way_out = "give the settings of that run, another --state folder, or remove the file"
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.PickleError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path}: the training state is damaged; remove the file") from error
    found = state.get("identity") if isinstance(state, dict) else None
    if not isinstance(found, dict):
        raise InputError(f"{path}: no training state; {way_out}")
    for name in sorted(set(identity) | set(found)):
        if name in _NOTED_LATER and name not in found:
            _LOG.warning("%s does not say %s", path, _NOTED_LATER[name])
            continue
        if identity.get(name) != found.get(name):
            raise InputError(
                f"{path}: belongs to another run ({name} was {found.get(name)}, "
                f"now {identity.get(name)}); {way_out}"
            )
    return state
