"""Mixtures of styles: what a text says, the weights in between, and what can't be mixed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fastvid.errors import InputError
from fastvid.style.checkpoint import Checkpoint, checkpoint_bytes, read_checkpoint
from fastvid.style.loading import load_model, load_style, read_style
from fastvid.style.mixing import (
    Part,
    check_same_network,
    is_mixture,
    mixed,
    norm_keys,
    parse_mixture,
)
from fastvid.style.model import StyleModel
from fastvid.training.bank import StyleBank

ARCH = "c3s1-4,d8,R8,U2,c3s1-3"


@pytest.fixture(scope="module")
def styles() -> list[Checkpoint]:
    """Three styles of one network."""
    torch.manual_seed(0)
    bank = StyleBank(ARCH, 3)
    for parameter in bank.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return [
        read_checkpoint(checkpoint_bytes(ARCH, bank.exported(number), f"s{number}"))
        for number in range(3)
    ]


def painted(checkpoint: Checkpoint) -> np.ndarray:
    frame = np.random.default_rng(1).integers(0, 256, (20, 24, 3), np.uint8)
    return StyleModel(checkpoint, "x", "").paint([frame])[0]


@pytest.mark.parametrize(
    "text, parts",
    [
        ("wave:0.3+starry_night:0.7", [Part("wave", 0.3), Part("starry_night", 0.7)]),
        ("a:1+b:3", [Part("a", 0.25), Part("b", 0.75)]),
        ("a:0+b:2", [Part("b", 1.0)]),
        ("dir/my.pt:0.5+wave:0.5", [Part("dir/my.pt", 0.5), Part("wave", 0.5)]),
        ("C:/x.pt:1+b:1", [Part("C:/x.pt", 0.5), Part("b", 0.5)]),
    ],
)
def test_a_text_is_read_as_a_mixture(text: str, parts: list[Part]) -> None:
    assert is_mixture(text)
    assert parse_mixture(text) == tuple(parts)


@pytest.mark.parametrize("text", ["wave", "a+b.pt", "a:0.5", "my:style+x", "a:1+b"])
def test_a_style_is_no_mixture(text: str) -> None:
    assert not is_mixture(text)


@pytest.mark.parametrize("text", ["a:0+b:0", "a:-1+b:2", ":1+b:1", "a:nan+b:1", "a:x+b:1"])
def test_shares_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="mixture"):
        parse_mixture(text)


def test_too_many_parts_are_refused() -> None:
    with pytest.raises(InputError, match="at most"):
        parse_mixture("+".join(f"s{number}:1" for number in range(40)))


def test_styles_of_a_network_differ_in_their_norms(styles: list[Checkpoint]) -> None:
    norms = norm_keys(styles[0].weights)
    shapes = {key: tuple(styles[0].weights[key].shape) for key in norms}
    # Three layers and the block's two: all but the last layer have scales and shifts.
    assert sorted(shapes.values()) == [(4,)] * 2 + [(8,)] * 8
    for key, weight in styles[0].weights.items():
        assert torch.equal(weight, styles[1].weights[key]) == (key not in norms)


def test_mixed_weights_are_the_weighted_mean(styles: list[Checkpoint]) -> None:
    found = mixed(styles, (0.5, 0.3, 0.2))
    for key, weight in found.weights.items():
        one, two, three = (style.weights[key].double() for style in styles)
        expected = (0.5 * one + 0.3 * two + 0.2 * three).float()
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-7)


def test_all_of_one_style_is_that_style(styles: list[Checkpoint]) -> None:
    np.testing.assert_array_equal(painted(mixed(styles[:2], (1.0, 0.0))), painted(styles[0]))
    assert mixed(styles[:1], (1.0,)) is styles[0]


def test_a_little_more_of_a_style_changes_the_picture_a_little(styles: list[Checkpoint]) -> None:
    one, two = (painted(mixed(styles[:2], (1 - share, share))) for share in (0.5, 0.51))
    far = np.abs(painted(styles[0]).astype(int) - painted(styles[1])).mean()
    assert 0 < np.abs(one.astype(int) - two).mean() < 0.2 * far


def test_a_mixture_is_read_as_a_style_of_its_own(styles: list[Checkpoint], tmp_path: Path) -> None:
    for style in styles:
        path = tmp_path / f"{style.style}.pt"
        path.write_bytes(checkpoint_bytes(ARCH, style.weights, style.style))
    text = f"{tmp_path}/s0.pt:3+{tmp_path}/s1.pt:1"
    file = read_style(text)
    assert file.name == "s0:0.75+s1:0.25"
    assert read_style(text) == file
    model = load_style(text)
    assert model.name == file.name and load_model(file.data, "x").sha256 == model.sha256
    frame = np.random.default_rng(1).integers(0, 256, (20, 24, 3), np.uint8)
    expected = painted(mixed(styles[:2], (0.75, 0.25)))
    np.testing.assert_array_equal(model.paint([frame])[0], expected)
    # What a run has recorded is a text that says the same.
    assert parse_mixture(file.name) == (Part("s0", 0.75), Part("s1", 0.25))


def test_bundled_styles_can_be_mixed_and_unknown_ones_are_named() -> None:
    assert load_style("wave:0.3+starry_night:0.7").name == "wave:0.3+starry_night:0.7"
    with pytest.raises(InputError, match=r"no style 'vave'.*wave"):
        load_style("vave:0.3+starry_night:0.7")


def test_styles_of_two_networks_are_not_mixed(styles: list[Checkpoint]) -> None:
    check_same_network(styles, ["a", "b", "c"])
    weights = dict(styles[0].weights)
    key = next(key for key in weights if weights[key].ndim == 4)
    weights[key] = weights[key] + 1e-3
    other = replace(styles[0], weights=weights)
    with pytest.raises(InputError, match=r"a and b can't be mixed.*two networks"):
        check_same_network([styles[0], other], ["a", "b"])
    with pytest.raises(InputError, match="two networks"):
        check_same_network([styles[0], replace(styles[1], scale=127.5)], ["a", "b"])
