"""What `torch.save` wrote, unpickled without running anything: today's zip archives.

Before anything is unpickled the archive is checked: members stored uncompressed and not larger than
the file, and a pickle that names nothing but tensors.
"""

import io
import zipfile

import torch

from fastvid.errors import InputError
from fastvid.style.pickle_machine import DAMAGES, MAX_PICKLE_BYTES, RefusedError, unpickle

WAY_OUT = "give a checkpoint written by `fastvid train`, or a model that `fastvid styles` knows"
# For files that hold a whole model, which to read is to run their code.
SAVE_STATE_DICT = (
    "if it is a whole model (torch.save(model, ...)), save torch.save(model.state_dict(), ...)"
)
# The folder of the source code in an archive of torch.jit.save.
_SCRIPT_FOLDER = "/code/"

_START = b"PK\x03\x04"


def is_archive(data: bytes) -> bool:
    """Whether a file begins as a zip archive."""
    return data.startswith(_START)


def read_archive(data: bytes, name: str) -> object:
    """The object in an archive; raises InputError that starts with `name` for a bad one."""
    _check_archive(data, name)
    return _unpickle(data, name)


def _check_archive(data: bytes, name: str) -> None:
    """Reject everything but a plain torch archive of tensors, without unpickling."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if any(_SCRIPT_FOLDER in entry.filename for entry in members):
                raise InputError(
                    f"{name}: is a TorchScript module, whose code is not run here; save the state "
                    "dict of the model that it was made of, torch.save(model.state_dict(), ...)"
                )
            pickles = [entry for entry in members if entry.filename.endswith("data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE_BYTES:
                raise InputError(f"{name}: not a style model (no torch pickle); {WAY_OUT}")
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
            f"refused as unsafe, {WAY_OUT}"
        )


def _check_pickle(pickle: bytes, name: str) -> None:
    """Allow the names that a dict of tensors needs and nothing that computes a name at run time."""
    try:
        unpickle(io.BytesIO(pickle))
    except RefusedError as error:
        raise InputError(
            f"{name}: refused, the file asks to run {error}; {SAVE_STATE_DICT}, or {WAY_OUT}"
        ) from error
    except DAMAGES as error:
        reason = str(error)[:160]
        raise InputError(f"{name}: the style model is damaged ({reason})") from error


def _unpickle(data: bytes, name: str) -> object:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # A damaged pickle can raise anything; all of it means the same to the user.
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{name}: the style model is damaged ({reason[0][:160]})") from error
