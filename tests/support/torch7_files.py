"""Writes Torch7 files as the format is defined, with networks of Fast Artistic Videos in them."""

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

NAMES = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long"}


@dataclass
class Lua:
    """An object of a class with its fields."""

    typename: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tensor:
    """An array as a tensor of a class; `Cuda` alone holds floats, too.

    storage: the flat array that it is a view of, at an offset; None for one of its own.
    """

    array: np.ndarray
    typename: str = ""
    storage: np.ndarray | None = None
    offset: int = 0


class Writer:
    """Collects the bytes of one object and all that it refers to."""

    def __init__(self, ascii_format: bool = False) -> None:
        self.ascii = ascii_format
        self.data = b""
        self.indices: dict[int, int] = {}
        self.kept: list[object] = []

    def write(self, thing: object) -> "Writer":
        if thing is None:
            self._numbers("i4", [0])
        elif isinstance(thing, bool):
            self._numbers("i4", [5])
            self._numbers("i4", [int(thing)])
        elif isinstance(thing, (int, float)):
            self._numbers("i4", [1])
            self._numbers("f8", [thing])
        elif isinstance(thing, str):
            self._numbers("i4", [2])
            self._text(thing)
        elif isinstance(thing, (dict, list)):
            if self._begin(3, thing):
                self._table(thing)
        elif self._begin(4, thing):
            self._text("V 1")
            if isinstance(thing, Lua):
                self._text(thing.typename)
                self.write(thing.fields)
            else:
                assert isinstance(thing, Tensor)
                self._tensor(thing)
        return self

    def _begin(self, kind: int, thing: object) -> bool:
        """Type and index; whether the content follows."""
        self._numbers("i4", [kind])
        new = id(thing) not in self.indices
        self.indices.setdefault(id(thing), len(self.indices) + 1)
        self.kept.append(thing)
        self._numbers("i4", [self.indices[id(thing)]])
        return new

    def _table(self, thing: dict[Any, Any] | list[Any]) -> None:
        if isinstance(thing, list):
            thing = {number + 1: value for number, value in enumerate(thing)}
        self._numbers("i4", [len(thing)])
        for key, value in thing.items():
            self.write(key)
            self.write(value)

    def _tensor(self, thing: Tensor) -> None:
        array = np.ascontiguousarray(thing.array)
        storage = array if thing.storage is None else thing.storage
        kind = thing.typename or NAMES[array.dtype.str[1:]]
        self._text(f"torch.{kind}Tensor")
        if not array.size:  # no dimensions, offset 1, no storage
            self._numbers("i4", [0])
            self._numbers("i8", [1])
            self._numbers("i4", [0])
            return
        self._numbers("i4", [array.ndim])
        self._numbers("i8", array.shape)
        self._numbers("i8", [stride // array.itemsize for stride in array.strides])
        self._numbers("i8", [thing.offset + 1])
        if self._begin(4, storage):
            self._text("V 1")
            self._text(f"torch.{kind}Storage")
            self._numbers("i8", [storage.size])
            self._numbers(storage.dtype.str[1:], storage.ravel())

    def _numbers(
        self,
        dtype: str,
        numbers: list[float]
        | list[int]
        | np.ndarray
        | tuple[int, ...]
        | tuple[int, int, int]
        | tuple[int, int]
        | tuple[int],
    ) -> None:
        if not self.ascii:
            self.data += np.asarray(numbers, f"<{dtype}").tobytes()
        elif len(numbers):
            self.data += " ".join(f"{number:.17g}" for number in numbers).encode() + b"\n"

    def _text(self, text: str) -> None:
        self._numbers("i4", [len(text)])
        self.data += text.encode() + (b"\n" if self.ascii else b"")


def torch7_bytes(thing: object, ascii_format: bool = False) -> bytes:
    """The file that holds a thing."""
    return Writer(ascii_format).write(thing).data


def sequential(*modules: Lua) -> Lua:
    return Lua("nn.Sequential", {"modules": list(modules), "train": False, "_type": "x"})


def conv(
    w: dict[str, torch.Tensor],
    key: str,
    stride: int = 1,
    padding: int = 0,
    library: str = "nn",
    **changes: object,
) -> Lua:
    weight = w[f"{key}.weight"].numpy()
    out_planes, in_planes, height, width = weight.shape
    fields = {
        "nInputPlane": in_planes,
        "nOutputPlane": out_planes,
        "kW": width,
        "kH": height,
        "dW": stride,
        "dH": stride,
        "padW": padding,
        "padH": padding,
        "weight": Tensor(weight),
        "bias": Tensor(w[f"{key}.bias"].numpy()),
        "gradWeight": Tensor(np.empty(0, np.float32)),
        "_type": "torch.FloatTensor",
    }
    return Lua(f"{library}.SpatialConvolution", {**fields, **changes})


def norm(w: dict[str, torch.Tensor], key: str) -> Lua:
    # The batch norm inside is a helper of the module, not a layer.
    helper = Lua("nn.SpatialBatchNormalization", {"eps": 0.5})
    return Lua(
        "nn.InstanceNormalization",
        {
            "weight": Tensor(w[f"{key}.weight"].numpy()),
            "bias": Tensor(w[f"{key}.bias"].numpy()),
            "eps": 1e-5,
            "nOutput": len(w[f"{key}.bias"]),
            "prev_N": 1,
            "bn": helper,
        },
    )


def relu() -> Lua:
    return Lua("nn.ReLU", {"inplace": True, "threshold": 0, "val": 0})


def padding(px: int, kind: str = "Reflection") -> Lua:
    return Lua(f"nn.Spatial{kind}Padding", {f"pad_{side}": px for side in "lrtb"})


def upsampling(factor: int = 2) -> Lua:
    return Lua("nn.SpatialUpSamplingNearest", {"scale_factor": factor})


def residual(w: dict[str, torch.Tensor], key: str) -> Lua:
    body = sequential(
        conv(w, f"{key}.body.0"),
        norm(w, f"{key}.body.1"),
        relu(),
        conv(w, f"{key}.body.3"),
        norm(w, f"{key}.body.4"),
    )
    table = Lua("nn.ConcatTable", {"modules": [body, Lua("nn.ShaveImage", {"size": 2})]})
    return sequential(table, Lua("nn.CAddTable", {"inplace": False}))


def fav_modules(w: dict[str, torch.Tensor], start_px: int) -> list[Lua]:
    """The modules of `original_networks.fav_network`, one of them of cudnn."""
    return [
        padding(start_px),
        conv(w, "0", padding=4, library="cudnn", groups=1),
        norm(w, "1"),
        relu(),
        conv(w, "3", stride=2, padding=1),
        norm(w, "4"),
        relu(),
        conv(w, "6", stride=2, padding=1),
        norm(w, "7"),
        relu(),
        residual(w, "9"),
        residual(w, "10"),
        upsampling(),
        norm(w, "12"),
        relu(),
        conv(w, "14", padding=1),
        norm(w, "15"),
        relu(),
        upsampling(),
        norm(w, "18"),
        relu(),
        conv(w, "20", padding=4),
        Lua("nn.Tanh"),
        Lua("nn.MulConstant", {"constant_scalar": 150, "inplace": False}),
        Lua("nn.TotalVariation", {"strength": 1e-6}),
    ]


def flatten(modules: list[Lua]) -> None:
    """Lets all weights be views of one storage, as `getParameters` of Torch leaves them."""
    tensors = [tensor for module in modules for tensor in tensors_of(module)]
    storage = np.concatenate([tensor.array.ravel() for tensor in tensors])
    offset = 0
    for tensor in tensors:
        tensor.storage, tensor.offset = storage, offset
        offset += tensor.array.size


def tensors_of(module: Lua) -> list[Tensor]:
    """The tensors of a module and of those in it."""
    own = [
        value for value in module.fields.values() if isinstance(value, Tensor) and value.array.size
    ]
    return own + [
        tensor for child in module.fields.get("modules", []) for tensor in tensors_of(child)
    ]


def checkpoint_of(modules: list[Lua], **options: str) -> dict[str, Any]:
    """What the predecessors' training stores."""
    return {
        "model": sequential(*modules),
        "iter": 60000,
        "train_loss_history": [3.5, 2.25],
        "opt": {"preprocessing": "vgg", "tanh_constant": 150, **options},
    }


def hostile_tensor(size: int, storage_size: int) -> bytes:
    """A float tensor that claims `size` elements on a storage that claims `storage_size`."""
    text = b"".join(struct.pack("<i", len(part)) + part for part in (b"V 1", b"torch.FloatTensor"))
    storage = b"".join(
        struct.pack("<i", len(part)) + part for part in (b"V 1", b"torch.FloatStorage")
    )
    head = struct.pack("<ii", 4, 1) + text + struct.pack("<iqqq", 1, size, 1, 1)
    return head + struct.pack("<ii", 4, 2) + storage + struct.pack("<q", storage_size) + bytes(16)
