"""Torch7 files: what their definition says is read, in both formats; nothing else gets through."""

import struct
from typing import Any

import numpy as np
import pytest

from fastvid.errors import InputError
from fastvid.style.checkpoint import read_checkpoint
from fastvid.style.loading import load_model
from fastvid.style.model import set_threads
from fastvid.style.recurrent import RecurrentModel
from fastvid.style.torch7 import TorchObject, TorchTensor, read_torch7
from fastvid.style.variant import Variant
from support.original_networks import (
    FAV_ARCH,
    FAV_START_PX,
    FAV_VIDEO,
    assert_same_picture,
    fav_network,
    frame_of,
    random_weights,
    seven_channels,
)
from support.torch7_files import (
    Lua,
    Tensor,
    checkpoint_of,
    conv,
    fav_modules,
    flatten,
    hostile_tensor,
    norm,
    padding,
    relu,
    sequential,
    torch7_bytes,
    upsampling,
)

WEIGHTS = random_weights(FAV_ARCH, FAV_VIDEO)


def fav_file(ascii_format: bool = False, **options: Any) -> bytes:
    modules = fav_modules(WEIGHTS, FAV_START_PX)
    return torch7_bytes(checkpoint_of(modules, **options), ascii_format)


@pytest.mark.parametrize("ascii_format", [False, True])
def test_plain_objects_are_read(ascii_format: bool) -> None:
    shared = {"x": 1.5}
    thing = {
        "text": "a\nb",
        "yes": True,
        "no": False,
        "number": -2,
        "list": [1.0, "two"],
        "one": shared,
        "same": shared,
        "object": Lua("nn.Thing", {"size": 3}),
    }
    read: Any = read_torch7(torch7_bytes(thing, ascii_format), "t")
    assert read["text"] == "a\nb" and read["yes"] is True and read["no"] is False
    assert read["number"] == -2.0 and read["list"] == {1.0: 1.0, 2.0: "two"}
    assert read["one"] is read["same"] and read["one"] == {"x": 1.5}
    assert read["object"] == TorchObject("nn.Thing", {"size": 3.0})


@pytest.mark.parametrize("ascii_format", [False, True])
@pytest.mark.parametrize(
    "dtype, kind",
    [
        ("f4", ""),
        ("f8", ""),
        ("f2", ""),
        ("i8", ""),
        ("f4", "Cuda"),
        ("f8", "CudaDouble"),
        ("f2", "CudaHalf"),
    ],
)
def test_tensors_of_every_kind_are_read(ascii_format: bool, dtype: str, kind: str) -> None:
    array = np.arange(-11, 13).reshape(2, 3, 4).astype(f"<{dtype}") / 2
    array = array.astype(f"<{dtype}")
    whole: Any = read_torch7(torch7_bytes({"t": Tensor(array, kind)}, ascii_format), "t")
    read = whole["t"]
    assert np.array_equal(read.array(), array) and read.array().dtype == array.dtype


def test_strides_and_offset_are_those_of_the_file() -> None:
    storage = np.arange(12, dtype=np.float32)
    tensor = TorchTensor((2, 3), (1, 4), 1, storage)
    assert np.array_equal(tensor.array(), [[1, 5, 9], [2, 6, 10]])


def test_an_object_may_contain_itself() -> None:
    thing = Lua("nn.Node", {})
    thing.fields["me"] = thing
    read: Any = read_torch7(torch7_bytes(thing), "t")
    assert read.fields["me"] is read


def test_a_function_is_passed_over() -> None:
    nested = struct.pack("<iii", 8, 2, 4) + b"\x1bLua" + struct.pack("<iii", 3, 3, 0)
    table = struct.pack("<iii", 3, 1, 2)
    key = struct.pack("<ii", 2, 1)
    one = struct.pack("<id", 1, 1.0)
    assert read_torch7(table + key + b"f" + nested + key + b"n" + one, "t") == {"f": None, "n": 1}


@pytest.mark.parametrize("ascii_format", [False, True])
def test_a_video_model_paints_as_the_original(ascii_format: bool) -> None:
    set_threads(1)
    frame, warped, mask, seven = seven_channels()
    model = load_model(fav_file(ascii_format), "candy.t7")
    assert isinstance(model, RecurrentModel) and model.kind == "recurrent"
    assert_same_picture(model.step(frame, warped, mask), frame_of(fav_network(seven, WEIGHTS)))


def test_what_is_read_is_named_in_the_grammar() -> None:
    checkpoint = read_checkpoint(fav_file(), "candy.t7")
    assert checkpoint.arch == FAV_ARCH and checkpoint.variant == FAV_VIDEO
    assert checkpoint.scale == 150 and checkpoint.source == "Torch7"
    assert set(checkpoint.weights) == set(WEIGHTS)
    assert all((checkpoint.weights[key] == WEIGHTS[key]).all() for key in WEIGHTS)


@pytest.mark.parametrize("ascii_format", [False, True])
def test_weights_in_one_storage(ascii_format: bool) -> None:
    """The layout of every model that was trained: the layers' weights follow one another."""
    modules = fav_modules(WEIGHTS, FAV_START_PX)
    flatten(modules)
    data = torch7_bytes(checkpoint_of(modules), ascii_format)
    assert data.count(b"torch.FloatStorage") == 1
    weights = read_checkpoint(data, "candy.t7").weights
    assert all((weights[key] == WEIGHTS[key]).all() for key in WEIGHTS)


def test_an_image_model_with_reflections_and_transposed_convolutions() -> None:
    """`-padding_type reflect` and `-arch c9s1-4,d6,u4,c3s1-3`, without a bias here and there."""
    arch, variant = "c9s1-4,d6,u4,c3s1-3", Variant(borders="as-trained")
    w = random_weights(arch, variant)
    up = Lua(
        "nn.SpatialFullConvolution",
        {
            "nInputPlane": 6,
            "nOutputPlane": 4,
            "kW": 3,
            "kH": 3,
            "dW": 2,
            "dH": 2,
            "padW": 1,
            "padH": 1,
            "adjW": 1,
            "adjH": 1,
            "weight": Tensor(w["6.weight"].numpy()),
            "bias": None,
        },
    )
    flat = w["3.weight"].numpy().reshape(6, -1)
    model = sequential(
        padding(4),
        conv(w, "0"),
        norm(w, "1"),
        relu(),
        conv(w, "3", stride=2, padding=1, weight=Tensor(flat)),
        norm(w, "4"),
        relu(),
        up,
        norm(w, "7"),
        relu(),
        padding(1),
        conv(w, "9"),
        Lua("cudnn.Tanh"),
    )
    checkpoint = read_checkpoint(torch7_bytes(model), "image.t7")
    assert checkpoint.arch == arch and checkpoint.variant == variant and checkpoint.scale == 1
    assert (checkpoint.weights["6.bias"] == 0).all()
    assert (checkpoint.weights["3.weight"] == w["3.weight"]).all()
    set_threads(1)
    frame = np.random.default_rng(1).integers(0, 256, (30, 41, 3), np.uint8)
    assert load_model(torch7_bytes(model), "i").paint([frame])[0].shape == frame.shape


@pytest.mark.parametrize("ascii_format", [False, True])
def test_every_truncation_is_refused(ascii_format: bool) -> None:
    data = fav_file(ascii_format)
    for length in [*range(1, 400, 7), *range(400, len(data) - 1, 1499), len(data) - 2]:
        with pytest.raises(InputError, match=r"^cut.t7: "):
            read_checkpoint(data[:length], "cut.t7")


def test_flipped_bytes_never_raise_anything_else() -> None:
    data = bytearray(fav_file())
    for position in [*range(0, 1500, 9), *range(1500, len(data), 911)]:
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        try:
            read_checkpoint(bytes(damaged), "flipped.t7")
        except InputError as error:
            assert str(error).startswith("flipped.t7: ") and len(str(error)) < 400


def changed(position: int, module: Lua | None) -> bytes:
    """The file with one module replaced, or left out."""
    modules = fav_modules(WEIGHTS, FAV_START_PX)
    modules[position : position + 1] = [module] if module else []
    return torch7_bytes(checkpoint_of(modules))


THREE_ONES = torch7_bytes({"t": Tensor(np.ones(3, "f4"))}, ascii_format=True)


@pytest.mark.parametrize(
    "data, reason",
    [
        (changed(3, Lua("nn.SpatialDropout", {"p": 0.5})), "layer 'nn.SpatialDropout'"),
        (changed(2, Lua("nn.SpatialBatchNormalization", {})), "nn.SpatialBatchNormalization"),
        (changed(3, None), "ReLU was expected"),
        (changed(2, None), "instance norm was expected"),
        (changed(0, None), "takes 16 pixels from each side"),
        (changed(0, padding(17)), "takes 16 pixels from each side"),
        (changed(1, conv(WEIGHTS, "0", padding=3)), "9x9 convolution padded by 3"),
        (changed(1, conv(WEIGHTS, "0", padding=4, nInputPlane=5)), "other fields say"),
        (changed(1, conv(WEIGHTS, "0", padding=4, groups=7)), "several groups"),
        (changed(1, conv(WEIGHTS, "0", padding=4, dW=2)), "dW 2 and dH 1"),
        (changed(1, conv(WEIGHTS, "0", padding=4, kW="9")), "without `kW`"),
        (changed(1, conv(WEIGHTS, "0", padding=4, weight=7)), "`weight` of a nn.SpatialConvol"),
        (changed(12, upsampling(4)), "would work finer|output is 1/"),
        (changed(11, Lua("nn.ConcatTable", {"modules": []})), "without a CAddTable"),
        (fav_file(preprocessing="resnet"), "resnet"),
        (torch7_bytes({"model": 5}), "no network under `model`"),
        (torch7_bytes({"model": sequential()}), "takes 0 channels"),
        (hostile_tensor(1 << 40, 1 << 40), "damaged"),
        (hostile_tensor(1 << 40, 4), "no network"),
        (struct.pack("<iii", 3, 1, 1 << 30), "damaged"),
        (b"".join(struct.pack("<iii", 3, index, 9) for index in range(5000)), "100 deep"),
        (b"3\n1\n1\n" + b"9" * 5000, "no number"),
        (THREE_ONES.replace(b"1 1 1\n", b"1 1\n"), "not 3 numbers"),
        (THREE_ONES.replace(b"1 1 1\n", b"1 1 x\n"), "not 3 numbers"),
        (THREE_ONES.replace(b"\n3\n1 1", b"\n999999999\n1 1"), "not 999999999 numbers"),
    ],
)
def test_what_does_not_fit_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_checkpoint(data, "wrong.t7")
    assert str(caught.value).startswith("wrong.t7: ") and len(str(caught.value)) < 400


def test_five_channels_fit_no_kind_of_model() -> None:
    w = random_weights("c3s1-3", Variant(in_channels=5))
    data = torch7_bytes(sequential(padding(1), conv(w, "0"), Lua("nn.Tanh")))
    with pytest.raises(InputError, match=r"takes 5 channels.*takes 3.*recurrent one 7"):
        read_checkpoint(data, "five.t7")


def test_a_storage_that_many_layers_name_is_refused() -> None:
    """Weights that are larger together than the file would multiply it in memory."""
    w = random_weights("c3s1-3", FAV_VIDEO)
    layer = conv(w, "0", padding=1)
    block = [
        conv({"0.weight": w["0.weight"][:, :3], "0.bias": w["0.bias"]}, "0"),
        norm({"0.weight": w["0.bias"], "0.bias": w["0.bias"]}, "0"),
        relu(),
    ]
    block[0].fields.update(padW=1, padH=1)
    with pytest.raises(InputError, match="more weights than the file can hold"):
        read_checkpoint(torch7_bytes(sequential(layer, *block[1:], *block * 200)), "many.t7")
