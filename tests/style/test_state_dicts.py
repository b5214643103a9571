"""State dicts of other PyTorch programs, in today's archives and in those of the time."""

import io
import os
import pickle
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fastvid.errors import InputError
from fastvid.style.checkpoint import read_checkpoint
from fastvid.style.loading import load_model
from fastvid.style.model import set_threads
from fastvid.style.network import build_network
from fastvid.style.recurrent import RecurrentModel
from fastvid.style.variant import Variant
from support.original_networks import (
    EXAMPLES_ARCH,
    FAV_ARCH,
    FAV_VIDEO,
    assert_same_picture,
    examples_network,
    fav_network,
    frame_of,
    random_weights,
    seven_channels,
)
from support.state_dicts import (
    EXAMPLES,
    EXAMPLES_KEYS,
    FAV_WEIGHTS,
    PORT,
    PORT_KEYS,
    examples_weights,
    renamed,
    saved,
)


@pytest.mark.parametrize("legacy", [False, True])
def test_the_port_of_fast_artistic_videos(legacy: bool) -> None:
    set_threads(1)
    frame, warped, mask, seven = seven_channels()
    data = saved(PORT, legacy)
    checkpoint = read_checkpoint(data)
    assert checkpoint.arch == FAV_ARCH and checkpoint.variant == FAV_VIDEO
    assert checkpoint.source == "fast-artistic-videos-pytorch"
    model = load_model(data, "candy.pth")
    assert isinstance(model, RecurrentModel)
    painted = model.step(frame, warped, mask)
    assert_same_picture(painted, frame_of(fav_network(seven, FAV_WEIGHTS)))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("old_keys", [False, True])
@pytest.mark.parametrize("size", [(44, 60), (37, 51)])
def test_the_network_of_the_pytorch_examples(
    legacy: bool, old_keys: bool, size: tuple[int, int]
) -> None:
    """RGB 0..255 in and out; odd sides lose the surplus at the bottom and on the right."""
    set_threads(1)
    weights = examples_weights()
    state = renamed(weights, EXAMPLES_KEYS)
    if old_keys:
        state |= {f"in{number}.running_mean": torch.full((3,), 7.0) for number in (1, 5)}
        state |= {"res1.in2.running_var": torch.ones(3), "in2.num_batches_tracked": torch.ones(())}
    data = saved(state, legacy)
    frame = np.random.default_rng(6).integers(0, 256, (*size, 3), np.uint8)
    rgb = torch.tensor(frame, dtype=torch.float32).permute(2, 0, 1)[None]
    output = examples_network(rgb, weights)[0, :, : size[0], : size[1]].permute(1, 2, 0).numpy()
    expected = np.clip(np.rint(output), 0, 255).astype(np.uint8)
    checkpoint = read_checkpoint(data)
    assert checkpoint.arch == EXAMPLES_ARCH and checkpoint.variant == EXAMPLES
    model = load_model(data, "mosaic.pth")
    assert model.kind == "frame"
    assert_same_picture(model.paint([frame])[0], expected)


def test_an_image_model_of_the_port_with_transposed_convolutions() -> None:
    """`c9s1-4,d6,d8,R8,u6,u4,c9s1-3`: the padding is at place 0, ReLU takes a place of its own."""
    arch = "c9s1-4,d6,d8,R8,u6,u4,c9s1-3"
    variant = Variant(borders="as-trained", start_padding=8, convolution="zero", residual="crop")
    weights = random_weights(arch, variant)
    keys = {own: port for own, port in PORT_KEYS.items() if not own.startswith("1")} | {
        "1": "2",
        "10": "11",
        "11": "12",
        "13": "14",
        "14": "15",
        "16": "17",
    }
    checkpoint = read_checkpoint(saved(renamed(weights, keys), legacy=True))
    assert checkpoint.arch == arch and checkpoint.variant == variant
    assert all(torch.equal(checkpoint.weights[key], weights[key]) for key in weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_weights_of_another_precision(dtype: torch.dtype) -> None:
    state = {key: value.to(dtype) for key, value in PORT.items()}
    for legacy in (False, True):
        weights = read_checkpoint(saved(state, legacy)).weights
        assert torch.equal(weights["0.weight"], PORT["1.weight"].to(dtype).float())


def test_views_and_parameters_in_a_legacy_file() -> None:
    state: dict[str, torch.Tensor] = {key: torch.nn.Parameter(value) for key, value in PORT.items()}
    both = torch.stack([PORT["2.weight"], PORT["2.bias"]])
    state["2.weight"], state["2.bias"] = both[0], both[1]
    turned = PORT["4.weight"].permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    state["4.weight"] = turned
    weights = read_checkpoint(saved(state, legacy=True)).weights
    assert all(torch.equal(weights[key], FAV_WEIGHTS[key]) for key in FAV_WEIGHTS)


@pytest.mark.parametrize("legacy", [False, True])
def test_every_truncation_is_refused(legacy: bool) -> None:
    data = saved(PORT, legacy)
    for length in [*range(1, 600, 23), *range(600, len(data), 997), len(data) - 1]:
        with pytest.raises(InputError, match=r"^cut.pth: "):
            read_checkpoint(data[:length], "cut.pth")


def test_flipped_bytes_never_raise_anything_else() -> None:
    data = bytearray(saved(PORT, legacy=True))
    for position in [*range(0, 3000, 7), *range(3000, len(data), 311)]:
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        try:
            read_checkpoint(bytes(damaged), "flipped.pth")
        except InputError as error:
            assert str(error).startswith("flipped.pth: ") and len(str(error)) < 500


def changed(**changes: object) -> dict[str, object]:
    state: dict[str, object] = dict(PORT)
    state.update(changes)
    return {key: value for key, value in state.items() if value is not None}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "state, reason",
    [
        (changed(**{"5.weight": None}), "'5.weight' is missing"),
        (changed(**{"99.weight": torch.ones(3)}), "1 unknown weights .99.weight"),
        (changed(**{"7.weight": torch.ones(3)}), "'7.weight' has the shape"),
        (changed(**{"7.weight": 5}), "'7.weight' is missing or no tensor"),
        (changed(**{"4.weight": torch.ones(9, 4, 3, 3)}), "the network needs"),
        (changed(**{"1.weight": torch.ones(4, 5, 9, 9)}), "takes 5 channels"),
        (changed(**{"1.weight": torch.ones(4, 7, 8, 8)}), "padded by 4|must be odd"),
        (changed(**{"2.bias": torch.full((4,), torch.inf)}), "no finite numbers"),
        ({"conv1.conv2d.weight": torch.ones(4, 3, 9, 9)}, "'conv1.conv2d.bias' is missing"),
        ({"layer.weight": torch.ones(4, 3, 9, 9)}, "no style model"),
    ],
)
def test_what_does_not_fit_is_named(
    state: dict[str, torch.Tensor | int] | dict[str, torch.Tensor], reason: str, legacy: bool
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_checkpoint(saved(state, legacy), "wrong.pth")
    assert str(caught.value).startswith("wrong.pth: ") and len(str(caught.value)) < 400


class Reducer:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def legacy_with(content: bytes, keys: Sequence[object] = (), storages: bytes = b"") -> bytes:
    """A legacy file whose object is the given pickle."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    pickles = [pickle.dumps(part, protocol=2) for part in head]
    return b"".join(pickles) + content + pickle.dumps(list(keys), protocol=2) + storages


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_legacy_pickle_that_runs_a_command_is_refused(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    bomb = pickle.dumps(Reducer(os.system, f"touch {mark}"), protocol=protocol)
    for data in (legacy_with(bomb), legacy_with(pickle.dumps({}, 2), storages=bomb)):
        with pytest.raises(InputError, match=r"^evil.pth: "):
            read_checkpoint(data, "evil.pth")
    assert not mark.exists()


def test_a_legacy_storage_that_asks_for_memory_is_refused() -> None:
    data = saved(PORT, legacy=True)
    count = struct.pack("<q", PORT["1.weight"].numel())
    position = data.rindex(count)
    with pytest.raises(InputError, match="a storage of"):
        read_checkpoint(data[:position] + struct.pack("<q", 1 << 50) + data[position + 8 :], "huge")


def test_tuples_that_hold_one_another_are_refused_at_once() -> None:
    """40 levels of pairs are a billion leaves for whoever hashes or prints them."""
    nested = b"\x80\x02)" + b"".join(
        b"q" + bytes([level]) + b"h" + bytes([level]) + b"\x86" for level in range(60)
    )
    with pytest.raises(InputError, match="no text"):
        read_checkpoint(legacy_with(b"\x80\x02}" + nested[2:] + b"Ns."), "laughs.pth")
    with pytest.raises(InputError, match=r"damaged|no style model"):
        read_checkpoint(legacy_with(nested + b"."), "laughs.pth")
    named = b"\x80\x02}(X\x04\0\0\0archX\x05\0\0\0c3s1-X\x08\0\0\0mean_bgr" + nested[2:] + b"u."
    with pytest.raises(InputError, match=r"^laughs.pth: "):
        read_checkpoint(legacy_with(named), "laughs.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_batch_norm_runs_as_in_evaluation(legacy: bool) -> None:
    """Against a literal network of torch's own batch norm."""
    set_threads(1)
    weights = examples_weights()
    state = renamed(weights, EXAMPLES_KEYS)
    generator = torch.Generator().manual_seed(3)
    norms: dict[str, nn.BatchNorm2d] = {}
    for key in [
        key for key in weights if weights[key].ndim == 1 and f"{key[:-4]}weight" in weights
    ]:
        own = key.removesuffix(".bias")
        if not key.endswith(".bias") or weights[f"{own}.weight"].ndim != 1:
            continue
        channels = weights[key].shape[0]
        norm = norms[own] = nn.BatchNorm2d(channels)
        norm.weight.data, norm.bias.data = weights[f"{own}.weight"], weights[key]
        norm.running_mean = torch.randn(channels, generator=generator)
        norm.running_var = torch.rand(channels, generator=generator) + 0.5
        theirs = EXAMPLES_KEYS[own]
        state[f"{theirs}.running_mean"] = norm.running_mean
        state[f"{theirs}.running_var"] = norm.running_var
        state[f"{theirs}.num_batches_tracked"] = torch.tensor(9)
    checkpoint = read_checkpoint(saved(state, legacy))
    assert checkpoint.variant.norm == "fixed"
    network = build_network(checkpoint.arch, variant=checkpoint.variant).eval()
    network.load_state_dict(checkpoint.weights)
    literal = build_network(checkpoint.arch, variant=replace(checkpoint.variant, norm="instance"))
    literal.load_state_dict(weights)
    for own, norm in norms.items():
        parent, _, name = own.rpartition(".")
        setattr(literal.get_submodule(parent) if parent else literal, name, norm)
    frame = torch.rand(1, 3, 36, 44, generator=generator) * 255
    with torch.inference_mode():
        expected, found = literal.eval()(frame), network(frame)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrap", ["state_dict", "model", "model_state_dict"])
def test_wrapped_and_parallel_state_dicts_are_read(legacy: bool, wrap: str) -> None:
    inner = {f"module.{key}": value for key, value in PORT.items()}
    data = saved({"epoch": 7, wrap: inner, "optimizer": {"lr": 0.1}}, legacy)
    expected = read_checkpoint(saved(PORT, legacy))
    found = read_checkpoint(data)
    assert (found.arch, found.variant, found.source) == (
        expected.arch,
        expected.variant,
        expected.source,
    )
    assert all(torch.equal(found.weights[key], expected.weights[key]) for key in expected.weights)


# PyTorch makes such files still, and says that it will not for ever.
@pytest.mark.filterwarnings(r"ignore:.torch\.jit\.\w+. is:DeprecationWarning")
def test_whole_models_and_scripts_get_a_hint() -> None:
    with pytest.raises(InputError, match=r"save torch.save\(model.state_dict\(\), ...\)"):
        read_checkpoint(saved(nn.Sequential(nn.Conv2d(3, 3, 3)), False))
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Conv2d(3, 3, 3)), buffer)
    with pytest.raises(InputError, match="is a TorchScript module"):
        read_checkpoint(buffer.getvalue())
