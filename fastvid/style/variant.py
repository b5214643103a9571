"""How a network departs from the grammar's defaults: what other programs' models do otherwise.

One line of the grammar and one `Variant` describe a network whole, whatever file it came from.
"""

import reprlib
from dataclasses import asdict, dataclass, fields

from fastvid.errors import InputError

FRAME_CHANNELS = 3
# Frame, previous output moved along the flow, mask: Ruder et al., IJCV 126, 2018, section 4.
RECURRENT_CHANNELS = 7
# The models of Fast Artistic Videos have 40; a frame must not grow without limit for a few layers.
MAX_START_PADDING_PX = 256
# The epsilon of nn.InstanceNormalization of Fast Artistic Videos, and of PyTorch.
NORM_EPS = 1e-5

_CHOICES = {
    "in_channels": (FRAME_CHANNELS, RECURRENT_CHANNELS),
    "borders": ("mirrored", "as-trained"),
    "convolution": ("reflect", "replicate", "zero"),
    "residual": ("reflect", "replicate", "zero", "crop"),
    "norm_upsampled": (True, False),
    "output": ("tanh", "linear"),
    "order": ("bgr", "rgb"),
    "norm": ("instance", "fixed"),
}


@dataclass(frozen=True)
class Variant:
    """The defaults are the models of `fastvid train`.

    in_channels: 3 is a frame model, 7 a recurrent one.
    borders: `mirrored`: frames are painted with a mirrored margin, and strided layers continue
        their input at its border; `as-trained`: the layers run literally.
    start_padding: pixels of reflection on each side of the frame, once, before the first layer.
    convolution: how `c` layers continue their input. (`d` layers are padded with zeros.)
    residual: the same inside residual blocks; `crop`: not at all, their shortcut loses 2 pixels a
        side instead.
    norm_upsampled: whether norm and ReLU follow a `U`, too.
    output: `tanh` ends the network, or nothing (`linear`).
    order: of the colour channels, in and out.
    norm_eps: what instance norm adds to the variance.
    norm: `instance`: each picture is normed by its own mean and variance; `fixed`: by those of the
        training, as batch norm does in evaluation, which are folded into weight and bias.
    """

    in_channels: int = FRAME_CHANNELS
    borders: str = "mirrored"
    start_padding: int = 0
    convolution: str = "reflect"
    residual: str = "reflect"
    norm_upsampled: bool = True
    output: str = "tanh"
    order: str = "bgr"
    norm_eps: float = NORM_EPS
    norm: str = "instance"

    @property
    def kind(self) -> str:
        """What a model of this variant is: `frame` or `recurrent`."""
        return "recurrent" if self.in_channels == RECURRENT_CHANNELS else "frame"


def variant_to_dict(variant: Variant) -> dict[str, object]:
    """What a checkpoint stores: the fields that are not the defaults."""
    default = asdict(Variant())
    return {key: value for key, value in asdict(variant).items() if value != default[key]}


def variant_from_dict(stored: object) -> Variant:
    """The inverse of `variant_to_dict`; raises InputError that names the field that is wrong."""
    if not isinstance(stored, dict):
        raise InputError(f"`variant` must be a table, it is {reprlib.repr(stored)[:40]}")
    known = {field.name for field in fields(Variant)}
    for key, value in stored.items():
        if key not in known:
            raise InputError(f"`variant` has an unknown field '{str(key)[:40]}'")
        _check_field(key, value)
    return Variant(**stored)


def _check_field(key: str, value: object) -> None:
    if key in _CHOICES:
        choices = _CHOICES[key]
        # True == 1, so that the type counts too.
        good = any(value == choice and type(value) is type(choice) for choice in choices)
        wanted = " or ".join(str(choice) for choice in choices)
    elif key == "start_padding":
        good = type(value) is int and 0 <= value <= MAX_START_PADDING_PX
        wanted = f"0..{MAX_START_PADDING_PX}"
    else:
        good = isinstance(value, float) and 0 < value < 1
        wanted = "between 0 and 1"
    if not good:
        raise InputError(f"`variant`: {key} must be {wanted}, it is {reprlib.repr(value)[:40]}")
