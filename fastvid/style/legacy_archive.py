"""What `torch.save` wrote before PyTorch 1.6: pickles one behind the other, then the storages.

The pickles are: a magic number, the protocol's version, the sizes of the system's types, the
object, and the keys of its storages. Each storage follows as the number of its elements (8 bytes)
and their bytes, in the order of the keys. Storages stand in the object as persistent ids.

Nothing is allocated before the file has been found to hold it.
"""

import io
from typing import TypeGuard

import numpy as np
import torch

from fastvid.errors import InputError
from fastvid.style.archive import SAVE_STATE_DICT, WAY_OUT
from fastvid.style.pickle_machine import (
    DAMAGES,
    DamagedError,
    RefusedError,
    Storage,
    Tensor,
    unpickle,
)

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
# The first pickle is the same in all files: protocol 2, the magic number, the end.
_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# More dimensions than weights have.
_MAX_DIMENSIONS = 8


def is_legacy_archive(data: bytes) -> bool:
    """Whether a file begins as one of PyTorch before 1.6."""
    return data.startswith(_START)


def read_legacy_archive(data: bytes, name: str) -> object:
    """The dict in a file, its tensors on the CPU.

    Raises InputError that starts with `name` for a file that is cut off, damaged, or asks to run
    something.
    """
    try:
        file = io.BytesIO(data)
        magic, protocol, _, content, keys = (unpickle(file) for _ in range(5))
        if magic != _MAGIC or protocol != _PROTOCOL:
            raise DamagedError("another protocol")
        if not isinstance(content, dict) or not isinstance(keys, list):
            raise DamagedError("no dict of tensors")
        storages = _read_storages(data, file.tell(), keys, _storages_of(content))
        return _with_tensors(content, storages)
    except RefusedError as error:
        raise InputError(
            f"{name}: refused, the file asks to run {error}; {SAVE_STATE_DICT}, or {WAY_OUT}"
        ) from error
    except DAMAGES as error:
        reason = str(error)[:160]
        raise InputError(f"{name}: the style model is damaged or cut off ({reason})") from error


def _storages_of(content: dict[object, object]) -> dict[str, Storage]:
    found: dict[str, Storage] = {}
    for value in content.values():
        if isinstance(value, Tensor):
            found[value.storage.key] = value.storage
        elif _is_inner(value, content):
            found |= _storages_of(value)
    return found


def _is_inner(value: object, content: dict[object, object]) -> TypeGuard[dict[object, object]]:
    """Whether a value is a dict of tensors within a dict: deeper ones, and a dict in itself, are
    none."""
    return (
        isinstance(value, dict)
        and value is not content
        and not any(isinstance(inner, dict) for inner in value.values())
    )


def _with_tensors(
    content: dict[object, object], storages: dict[str, torch.Tensor]
) -> dict[object, object]:
    return {
        key: _tensor_of(value, storages)
        if isinstance(value, Tensor)
        else _with_tensors(value, storages)
        if _is_inner(value, content)
        else value
        for key, value in content.items()
    }


def _read_storages(
    data: bytes, position: int, keys: list[object], storages: dict[str, Storage]
) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise DamagedError("a storage that no tensor has")
        count = int.from_bytes(data[position : position + 8], "little")
        size = count * storage.dtype.itemsize
        position += 8
        if count != storage.count or count == 0 or position + size > len(data):
            raise DamagedError(f"a storage of {count} elements for {storage.count}")
        # A copy: torch wants memory that can be written. All copies together are the file.
        raw = np.frombuffer(data, np.uint8, size, position).copy()
        found[storage.key] = torch.from_numpy(raw).view(storage.dtype)
        position += size
        # A key that is named twice would be copied twice.
        del storages[storage.key]
    return found


def _tensor_of(tensor: Tensor, storages: dict[str, torch.Tensor]) -> torch.Tensor:
    numbers = (*tensor.sizes, *tensor.strides, tensor.offset)
    if not all(type(number) is int and 0 <= number < 1 << 31 for number in numbers):
        raise DamagedError("a tensor of impossible sizes")
    if len(tensor.sizes) != len(tensor.strides) or len(tensor.sizes) > _MAX_DIMENSIONS:
        raise DamagedError(f"a tensor of {len(tensor.sizes)} dimensions")
    storage = storages[tensor.storage.key]
    reach = sum(
        (size - 1) * stride for size, stride in zip(tensor.sizes, tensor.strides, strict=True)
    )
    if tensor.offset + reach >= storage.numel():
        raise DamagedError("a tensor larger than its storage")
    return storage.as_strided(tensor.sizes, tensor.strides, tensor.offset)
