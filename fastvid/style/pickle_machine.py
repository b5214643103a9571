"""What the pickles of `torch.save` say, found out without looking up or calling anything.

The few opcodes that a dict of tensors needs are interpreted here. Storages and tensors become
records of where their numbers are. Keys of dicts are texts or small whole numbers: tuples that hold
one another many times over would take for ever to hash, and large numbers can be chosen so that all
of them collide in the dict.
"""

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

# A style model's pickle names some hundred tensors; 7 KB for the bundled ones.
MAX_PICKLE_BYTES = 4 << 20
MAX_OPCODES = 1_000_000
# Whole numbers as keys count parameters and modules.
MAX_KEY = 1_000_000

_DTYPES = {
    "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16,
    "torch DoubleStorage": torch.float64,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
}
_DICT = "collections OrderedDict"
_TENSOR = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor")
_PARAMETER = "torch._utils _rebuild_parameter"
_GLOBALS = {*_DTYPES, *_TENSOR, _DICT, _PARAMETER}


class DamagedError(ValueError):
    """The pickle does not say a dict of tensors."""


class RefusedError(Exception):
    """The pickle asks for what no dict of tensors needs; the text is what."""


# Stack and memo of a damaged pickle can be short of anything.
DAMAGES = (DamagedError, ValueError, TypeError, IndexError, KeyError, AttributeError)


@dataclass(frozen=True)
class _Name:
    """A global of the pickle, never looked up."""

    text: str


@dataclass(frozen=True)
class Storage:
    """A storage of `count` elements; the archive knows it by its key."""

    key: str
    dtype: torch.dtype
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage."""

    storage: Storage
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


def unpickle(file: io.BytesIO) -> object:
    """The object of the next pickle in a file, whose end is then the file's position.

    Raises RefusedError, or one of DAMAGES for a pickle that is cut off or makes no sense.
    """
    machine = _Machine()
    start = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file), 1):
        if count > MAX_OPCODES or file.tell() - start > MAX_PICKLE_BYTES:
            raise DamagedError("a pickle of more than a style model needs")
        machine.run(opcode.name, argument)
    return machine.stack[-1]


class _Machine:
    """A pickle machine with the opcodes of protocol 2 that plain data and tensors need."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[object, object] = {}

    def run(self, opcode: str, argument: object) -> None:
        """One step. Raises RefusedError for an opcode or a name that is not known here."""
        push = self.stack.append
        if opcode in _CONSTANTS:
            push(_CONSTANTS[opcode]())
        elif opcode in _LITERALS:
            push(argument)
        elif opcode == "GLOBAL":
            if argument not in _GLOBALS:
                raise RefusedError(str(argument).replace(" ", ".")[:80])
            push(_Name(str(argument)))
        elif opcode == "MARK":
            self._marks.append(len(self.stack))
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            if not _is_key(argument):
                raise DamagedError("a memo of more than a style model needs")
            self._memo[argument] = self.stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            push(self._memo[argument])
        elif opcode in ("TUPLE1", "TUPLE2", "TUPLE3"):
            push(tuple(self._pop(int(opcode[-1]))))
        elif opcode == "TUPLE":
            push(tuple(self._pop_to_mark()))
        elif opcode in ("APPEND", "APPENDS"):
            items = self._pop(1) if opcode == "APPEND" else self._pop_to_mark()
            self.stack[-1].extend(items)
        elif opcode in ("SETITEM", "SETITEMS"):
            items = self._pop(2) if opcode == "SETITEM" else self._pop_to_mark()
            if not all(_is_key(key) for key in items[::2]):
                raise DamagedError("a key that is no text")
            # A key without a value can only be in a file that is damaged further on.
            self.stack[-1].update(zip(items[::2], items[1::2], strict=False))
        elif opcode == "BINPERSID":
            push(_storage(self.stack.pop()))
        elif opcode == "REDUCE":
            name, arguments = self._pop(2)
            push(_reduce(name, arguments))
        elif opcode == "BUILD":
            # Attributes of a dict, such as the versions of a state dict's modules.
            self.stack.pop()
        elif opcode not in ("PROTO", "STOP"):
            raise RefusedError(f"the opcode {opcode}")

    def _pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise DamagedError("a pickle that takes more than it gave")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def _pop_to_mark(self) -> list[Any]:
        mark = self._marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items


_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_LITERALS = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "BINSTRING",
    "SHORT_BINSTRING",
}


def _is_key(key: object) -> bool:
    """Whether a dict may have such a key: the hashes of numbers up to the limit are all different,
    and those of texts can't be foreseen."""
    return isinstance(key, str) or (isinstance(key, int) and 0 <= key <= MAX_KEY)


def _storage(persistent_id: object) -> Storage:
    """("storage", type, key, device, number of elements, view): the device does not matter."""
    if not isinstance(persistent_id, tuple) or len(persistent_id) < 5:
        raise DamagedError("a persistent id that is no storage")
    kind, name, key, _, count, *view = persistent_id
    known = isinstance(name, _Name) and name.text in _DTYPES
    if kind != "storage" or not known or not isinstance(key, str) or type(count) is not int:
        raise DamagedError("a persistent id that is no storage")
    if any(part is not None for part in view):
        raise DamagedError("a storage that is part of another one")
    return Storage(key, _DTYPES[name.text], count)


def _reduce(name: object, arguments: object) -> object:
    """What a call in the pickle stands for: an empty dict, a tensor, or a parameter's tensor."""
    if not isinstance(name, _Name) or not isinstance(arguments, tuple):
        raise DamagedError("a call of what is no name")
    if name.text == _DICT and arguments in ((), ([],)):
        return {}
    if name.text == _PARAMETER and arguments and isinstance(arguments[0], Tensor):
        return arguments[0]
    if name.text in _TENSOR and len(arguments) >= 4:
        storage, offset, sizes, strides = arguments[:4]
        shaped = isinstance(sizes, tuple) and isinstance(strides, tuple)
        if isinstance(storage, Storage) and shaped:
            return Tensor(storage, offset, sizes, strides)
    raise DamagedError(f"{name.text} with arguments that do not fit")
