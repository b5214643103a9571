"""The networks in Torch7 files: modules of `nn` and `cudnn` to a list of layers.

The modules are those of fast-neural-style (Johnson et al., 2016) and Fast Artistic Videos (Ruder et
al., 2018). Fields as the Lua modules name them: kW, dW, padW, weight, ...
"""

import numpy as np
import torch

from fastvid.errors import InputError
from fastvid.style.layer_list import (
    Conv,
    Norm,
    Pad,
    Relu,
    Residual,
    Scale,
    Step,
    Tanh,
    Up,
    describe,
)
from fastvid.style.network import MAX_LAYERS
from fastvid.style.torch7 import TorchObject, TorchTensor, read_torch7
from fastvid.style.torch7_source import DamagedError
from fastvid.style.variant import NORM_EPS

# A token of the grammar is at most five modules.
MAX_MODULES = 5 * MAX_LAYERS
# The least that a file spends on a number: two bytes, for one of half precision or a digit.
BYTES_PER_NUMBER = 2

_PADDINGS = {
    "SpatialReflectionPadding": "reflect",
    "SpatialReplicationPadding": "replicate",
    "SpatialZeroPadding": "zero",
}
_CONVOLUTIONS = ("SpatialConvolution", "SpatialConvolutionMM")
# TotalVariation changes gradients alone.
_DO_NOTHING = ("Identity", "TotalVariation", "Contiguous")


def torch7_content(data: bytes, name: str, mean_bgr: tuple[float, ...]) -> dict[str, object]:
    """What a project's checkpoint would hold of the network in a `.t7` file.

    Raises InputError that starts with `name` and names the module or the field that is wrong.
    """
    root = read_torch7(data, name)
    try:
        options = root.get("opt") if isinstance(root, dict) else None
        _check_options(options if isinstance(options, dict) else {})
        model = root.get("model") if isinstance(root, dict) else root
        if not isinstance(model, TorchObject):
            raise InputError("there is no network under `model`")
        steps = _Modules(len(data)).steps(model)
        return describe(steps, order="bgr", mean_bgr=mean_bgr)
    except (InputError, DamagedError) as error:
        raise InputError(f"{name}: a Torch7 file, but {error}") from error


def _check_options(options: dict[object, object]) -> None:
    preprocessing = options.get("preprocessing", "vgg")
    if preprocessing != "vgg":
        raise InputError(
            f"its network was trained with '-preprocessing {preprocessing}'; only vgg is known here"
        )


class _Modules:
    def __init__(self, file_bytes: int) -> None:
        self._numbers_left = file_bytes // BYTES_PER_NUMBER
        self._modules_left = MAX_MODULES

    def steps(self, module: TorchObject) -> list[Step]:
        """The layers of a module, those of containers one after the other."""
        self._modules_left -= 1
        if self._modules_left < 0:
            raise InputError(f"it has more than {MAX_MODULES} modules")
        kind, fields = _kind(module), module.fields
        if kind == "Sequential":
            return self._sequence(_children(module))
        if kind in _CONVOLUTIONS:
            return [self._convolution(module)]
        if kind == "SpatialFullConvolution":
            return [self._full_convolution(module)]
        if kind == "InstanceNormalization":
            weight = self._tensor(module, "weight")
            eps = _number(fields, "eps", NORM_EPS)
            return [Norm(weight, self._tensor(module, "bias"), eps)]
        if kind in _PADDINGS:
            return [_padding(module, _PADDINGS[kind])]
        if kind == "SpatialUpSamplingNearest":
            return [Up(_whole(fields, "scale_factor"))]
        if kind == "MulConstant":
            return [Scale(_number(fields, "constant_scalar"))]
        simple: dict[str, Step] = {"ReLU": Relu(), "Tanh": Tanh()}
        if kind in simple:
            return [simple[kind]]
        if kind in _DO_NOTHING:
            return []
        raise InputError(f"it has a layer '{module.typename[:60]}', which is unknown here")

    def _sequence(self, modules: list[TorchObject]) -> list[Step]:
        steps: list[Step] = []
        for number, module in enumerate(modules):
            before = modules[number - 1] if number else None
            if _kind(module) == "ConcatTable":
                behind = modules[number + 1 : number + 2]
                if not behind or _kind(behind[0]) != "CAddTable":
                    raise InputError("it has a ConcatTable without a CAddTable behind it")
                steps.append(self._residual(module))
            elif not (_kind(module) == "CAddTable" and before and _kind(before) == "ConcatTable"):
                steps += self.steps(module)
        return steps

    def _residual(self, table: TorchObject) -> Residual:
        """A ConcatTable of layers and of what takes their input past them."""
        branches = _children(table)
        shortcuts = [branch for branch in branches if _kind(branch) in ("Identity", "ShaveImage")]
        bodies = [branch for branch in branches if branch not in shortcuts]
        if len(shortcuts) != 1 or len(bodies) != 1:
            kinds = ", ".join(branch.typename[:40] for branch in branches[:4])
            raise InputError(
                f"it has a ConcatTable of {kinds or 'nothing'}; one branch must be "
                "nn.Identity or nn.ShaveImage, the other the layers"
            )
        shaved = _kind(shortcuts[0]) == "ShaveImage"
        cropped = _whole(shortcuts[0].fields, "size") if shaved else 0
        return Residual(tuple(self.steps(bodies[0])), cropped)

    def _convolution(self, module: TorchObject) -> Conv:
        fields = module.fields
        if _whole(fields, "groups", 1) != 1:
            raise InputError(f"it has a {module.typename} of several groups")
        kernel = _square(fields, "kW", "kH")
        shape = (_whole(fields, "nOutputPlane"), _whole(fields, "nInputPlane"), kernel, kernel)
        bias = self._tensor(module, "bias", shape[:1], absent_is_zero=True)
        return Conv(
            self._tensor(module, "weight", shape),
            bias,
            _square(fields, "dW", "dH"),
            _convolution_padding(fields),
        )

    def _full_convolution(self, module: TorchObject) -> Conv:
        fields = module.fields
        kernel = _square(fields, "kW", "kH")
        shape = (_whole(fields, "nInputPlane"), _whole(fields, "nOutputPlane"), kernel, kernel)
        bias = self._tensor(module, "bias", shape[1:2], absent_is_zero=True)
        return Conv(
            self._tensor(module, "weight", shape),
            bias,
            _square(fields, "dW", "dH"),
            _convolution_padding(fields),
            transposed=True,
            added=_square(fields, "adjW", "adjH", 0),
        )

    def _tensor(
        self,
        module: TorchObject,
        key: str,
        shape: tuple[int, ...] | None = None,
        absent_is_zero: bool = False,
    ) -> torch.Tensor:
        """A field as float32. shape: what it must have, or be flattened from; None: any."""
        tensor = module.fields.get(key)
        if tensor is None and absent_is_zero and shape is not None:
            self._spend(shape[0])
            return torch.zeros(shape)
        if not isinstance(tensor, TorchTensor):
            raise InputError(f"the `{key}` of a {module.typename[:60]} is no tensor")
        self._spend(tensor.count)
        array = np.array(tensor.array(), dtype=np.float32)
        if shape is not None:
            if array.size != int(np.prod(shape, dtype=object)):
                raise InputError(
                    f"the `{key}` of a {module.typename} has the form {array.shape}, "
                    f"its other fields say {shape}"
                )
            array = array.reshape(shape)
        return torch.from_numpy(array)

    def _spend(self, numbers: int) -> None:
        """Counts numbers in use: a file may name one storage many times."""
        self._numbers_left -= numbers
        if self._numbers_left < 0:
            raise InputError("its layers have more weights than the file can hold")


def _kind(module: TorchObject) -> str:
    """The class of a module without its library: cudnn's classes do what nn's do."""
    library, _, kind = module.typename.partition(".")
    return kind if library in ("nn", "cudnn") else module.typename


def _children(module: TorchObject) -> list[TorchObject]:
    table = module.fields.get("modules")
    children: list[TorchObject] = []
    while isinstance(table, dict) and (child := table.get(float(len(children) + 1))) is not None:
        if not isinstance(child, TorchObject):
            raise InputError(f"a {module.typename[:60]} holds something that is no module")
        children.append(child)
    return children


def _padding(module: TorchObject, mode: str) -> Pad:
    sides = {_whole(module.fields, f"pad_{side}") for side in "lrtb"}
    if len(sides) != 1 or min(sides) < 0:
        raise InputError(f"it has a {module.typename} that is not the same on all sides")
    return Pad(mode, sides.pop())


def _convolution_padding(fields: dict[object, object]) -> int:
    """Older files have one `padding` in place of padW and padH."""
    if "padW" not in fields:
        return _whole(fields, "padding", 0)
    return _square(fields, "padW", "padH")


def _square(
    fields: dict[object, object], across: str, down: str, default: int | None = None
) -> int:
    wide, high = _whole(fields, across, default), _whole(fields, down, default)
    if wide != high:
        raise InputError(
            f"it has a convolution with {across} {wide} and {down} {high}; they must be equal"
        )
    return wide


def _whole(fields: dict[object, object], key: str, default: int | None = None) -> int:
    number = _number(fields, key, default)
    if not number.is_integer() or abs(number) > 1 << 20:
        raise InputError(f"it has a layer with {key} = {number:g}")
    return int(number)


def _number(fields: dict[object, object], key: str, default: float | None = None) -> float:
    number = fields.get(key, default)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise InputError(f"it has a layer without `{key}`")
    return float(number)
