"""Reading the files of Torch7's `torch.save` (`.t7`), binary and ASCII, without running any of it.

An object is a type number and its content: nil 0, number 1 (a double), string 2 (length, bytes),
table 3, object of a class 4, boolean 5, functions 6 to 8. Tables, objects and functions carry an
index, and an index that was seen before stands for that object. A tensor is the number of its
dimensions, sizes, strides, the offset into its storage (from 1), and the storage. Every other class
is a table of its fields. Functions are skipped over. How numbers are written is in
fastvid.style.torch7_source.

Nothing is allocated before the file has been found to hold it: storages are views of its bytes.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from fastvid.errors import InputError
from fastvid.style.torch7_source import AsciiSource, BinarySource, DamagedError, Source

# A checkpoint of the predecessors holds some ten thousand; every one takes memory of its own.
MAX_OBJECTS = 1_000_000
# A network inside a table inside a checkpoint is about 20 deep.
MAX_DEPTH = 100
MAX_DIMENSIONS = 8

_BINARY_STARTS = (b"\x03\0\0\0", b"\x04\0\0\0")
_ASCII_STARTS = (b"3\n", b"4\n")
_NIL, _NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN = range(6)
_PLAIN_FUNCTION, _FUNCTIONS_WITH_INDEX = 6, (7, 8)

_ARRAY_CLASS = re.compile(
    r"torch\.(?:Cuda|Cl)?(Float|Double|Half|Byte|Char|Short|Int|Long)?(Tensor|Storage)"
)
# Without a name of its own an array of a GPU holds floats.
_DTYPES = {
    None: "<f4",
    "Float": "<f4",
    "Double": "<f8",
    "Half": "<f2",
    "Byte": "u1",
    "Char": "i1",
    "Short": "<i2",
    "Int": "<i4",
    "Long": "<i8",
}


@dataclass
class TorchObject:
    """An object of a Lua class: its name, such as `nn.Sequential`, and its fields."""

    typename: str
    fields: dict[object, object] = field(default_factory=dict)


@dataclass
class TorchTensor:
    """Where a tensor lies in its storage; `array` is the tensor."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    storage: np.ndarray | None = None

    @property
    def count(self) -> int:
        """The number of elements."""
        return int(np.prod([int(size) for size in self.sizes], dtype=object)) if self.sizes else 0

    def array(self) -> np.ndarray:
        """A view of the storage. Raises DamagedError if the tensor reaches beyond it."""
        if self.storage is None or not self.sizes or min(self.sizes) < 1:
            raise DamagedError("a tensor without elements")
        steps = zip(self.sizes, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps)
        held = len(self.storage)
        if min(self.strides) < 0 or self.offset < 0 or last >= held or self.count > held:
            raise DamagedError(f"a tensor of {self.sizes} in a storage of {held}")
        item = self.storage.itemsize
        strides = tuple(item * stride for stride in self.strides)
        return np.lib.stride_tricks.as_strided(self.storage[self.offset :], self.sizes, strides)


@dataclass
class _Storage:
    array: np.ndarray


def is_torch7(data: bytes) -> bool:
    """Whether a file begins as one of Torch7: with a table or an object."""
    return data.startswith(_BINARY_STARTS + _ASCII_STARTS)


def read_torch7(data: bytes, name: str) -> object:
    """The object in a file: dict for a table, TorchObject, TorchTensor, or a simple value.

    Keys of a dict are str, float or bool. Raises InputError that starts with `name` for a file that
    is cut off or damaged.
    """
    source: Source = AsciiSource(data) if data.startswith(_ASCII_STARTS) else BinarySource(data)
    try:
        return _Reader(source).read(0)
    except DamagedError as error:
        raise InputError(f"{name}: the Torch7 file is damaged or cut off ({error})") from error


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: dict[int, object] = {}
        self._count = 0

    def read(self, depth: int) -> object:
        """The next object."""
        self._count += 1
        if self._count > MAX_OBJECTS:
            raise DamagedError(f"more than {MAX_OBJECTS} objects")
        if depth > MAX_DEPTH:
            raise DamagedError(f"objects more than {MAX_DEPTH} deep")
        kind = self._whole()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return self._source.double()
        if kind == _STRING:
            return self._string()
        if kind == _BOOLEAN:
            return self._whole() == 1
        if kind == _PLAIN_FUNCTION:
            self._skip_function(depth)
            return None
        if kind not in (_TABLE, _OBJECT, *_FUNCTIONS_WITH_INDEX):
            raise DamagedError(f"type number {kind}")
        index = self._whole()
        if index in self._seen:
            return self._seen[index]
        if kind == _TABLE:
            return self._table(index, depth)
        if kind == _OBJECT:
            return self._object(index, depth)
        self._seen[index] = None
        self._skip_function(depth)
        return None

    def _whole(self) -> int:
        return self._source.whole(1)[0]

    def _size(self) -> int:
        return self._source.sizes(1)[0]

    def _string(self) -> str:
        return self._source.text(self._whole()).decode("latin-1")

    def _skip_function(self, depth: int) -> None:
        self._string()
        self.read(depth + 1)

    def _table(self, index: int, depth: int) -> dict[object, object]:
        table: dict[object, object] = {}
        self._seen[index] = table
        for _ in range(self._whole()):
            key, value = self.read(depth + 1), self.read(depth + 1)
            # Other keys name nothing in a network.
            if isinstance(key, (str, float, bool)):
                table[key] = value
        return table

    def _object(self, index: int, depth: int) -> object:
        typename = self._string()
        if re.fullmatch(r"V \d+", typename):
            typename = self._string()
        match = _ARRAY_CLASS.fullmatch(typename)
        if match and match[2] == "Storage":
            dtype = _DTYPES[match[1]]
            self._seen[index] = storage = _Storage(self._source.array(dtype, self._size()))
            return storage
        if match:
            return self._tensor(index, depth)
        made = TorchObject(typename)
        self._seen[index] = made
        fields = self.read(depth + 1)
        if not isinstance(fields, dict):
            raise DamagedError(f"an object of class '{typename[:60]}' that is no table")
        made.fields = fields
        return made

    def _tensor(self, index: int, depth: int) -> TorchTensor:
        dimensions = self._whole()
        if not 0 <= dimensions <= MAX_DIMENSIONS:
            raise DamagedError(f"a tensor of {dimensions} dimensions")
        sizes, strides = self._source.sizes(dimensions), self._source.sizes(dimensions)
        tensor = TorchTensor(tuple(sizes), tuple(strides), self._size() - 1)
        self._seen[index] = tensor
        storage = self.read(depth + 1)
        if isinstance(storage, _Storage):
            tensor.storage = storage.array
        elif storage is not None:
            raise DamagedError("a tensor without a storage")
        return tensor
