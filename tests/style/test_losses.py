"""Every loss against its formula, and the loss networks against their layers written out."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastvid.errors import InputError
from fastvid.style import losses
from fastvid.style.lossnet import load_loss_network
from support.loss_networks import VGG16, VGG19, vgg_npz, vgg_state_dict

LAYERS = {"relu1_1", "relu2_1", "relu3_1", "relu4_1"}


def images(count: int = 1, height: int = 40, width: int = 44, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator) * 255


def written_out(
    x: torch.Tensor,
    plan: Sequence[int | str],
    convolutions: Iterator[tuple[torch.Tensor, torch.Tensor]],
    pool: torch.nn.Module,
) -> dict[str, torch.Tensor]:
    """Features of every first convolution of a block, layer after layer."""
    found, block, number = {}, 1, 0
    for entry in plan:
        if entry == "M":
            x, block, number = pool(x), block + 1, 0
            continue
        weight, bias = next(convolutions)
        x, number = F.relu(F.conv2d(x, weight, bias, padding=1)), number + 1
        if number == 1:
            found[f"relu{block}_1"] = x
    return found


@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize("plan", [VGG19, VGG16])
def test_vgg_is_its_layers_written_out(
    tmp_path: Path, plan: tuple[int | str, ...], pooling: str
) -> None:
    path, arrays = vgg_npz(tmp_path / "v.npz", plan=plan)
    picture = images(2)
    values = [torch.from_numpy(value) for value in arrays.values()]
    pool = torch.nn.MaxPool2d(2) if pooling == "max" else torch.nn.AvgPool2d(2)
    x = picture - torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1)
    expected = written_out(x, plan, iter(zip(values[::2], values[1::2], strict=True)), pool)
    found = load_loss_network(path, pooling)(picture)
    assert set(found) == set(expected) == LAYERS
    for layer, value in expected.items():
        torch.testing.assert_close(found[layer], value, atol=1e-2, rtol=1e-4)


@pytest.mark.parametrize("plan", [VGG19, VGG16])
def test_torchvisions_vgg_reads_normalised_rgb(tmp_path: Path, plan: tuple[int | str, ...]) -> None:
    path, state = vgg_state_dict(tmp_path / "v.pth", plan)
    picture = images(1, 32, 40)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    values = list(state.values())
    convolutions = iter(zip(values[::2], values[1::2], strict=False))
    x = (picture.flip(1) / 255 - mean) / std
    expected = written_out(x, plan, convolutions, torch.nn.MaxPool2d(2))
    found = load_loss_network(path)(picture)
    assert set(found) == LAYERS
    for layer, value in expected.items():
        torch.testing.assert_close(found[layer], value, atol=1e-4, rtol=1e-4)


def test_half_precision_changes_features_a_little(tmp_path: Path) -> None:
    path, _ = vgg_npz(tmp_path / "v.npz")
    exact = load_loss_network(path)(images())
    low = load_loss_network(path).prepared(torch.device("cpu"), torch.bfloat16)(images())
    for layer, value in exact.items():
        assert low[layer].dtype == torch.bfloat16
        assert (low[layer].float() - value).norm() < 0.02 * value.norm()


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"conv3_1.w": np.zeros((256, 64, 3, 3), np.float32)}, "conv3_1.w"),
        ({"conv1_1.b": np.full(64, np.nan, np.float32)}, "conv1_1.b"),
        ({"conv1_1.w": np.zeros((64, 3), np.float32)}, "conv1_1.w"),
        ({"conv4_1.b": np.zeros(511, np.float32)}, "conv4_1.b"),
    ],
)
def test_a_loss_network_that_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, np.ndarray], reason: str
) -> None:
    path, _ = vgg_npz(tmp_path / "v.npz", change)
    with pytest.raises(InputError, match=reason):
        load_loss_network(path)


def test_foreign_loss_networks_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"not a network", b"PK\x03\x04"):
        path = tmp_path / "x.npz"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"x.npz"):
            load_loss_network(str(path))
    np.savez(tmp_path / "y.npz", a=np.zeros(3))
    with pytest.raises(InputError, match=r"no loss network.*wanted is VGG-19"):
        load_loss_network(str(tmp_path / "y.npz"))
    with pytest.raises(InputError, match=r"nowhere.*wanted is VGG-19"):
        load_loss_network(str(tmp_path / "nowhere.npz"))


def test_gram_is_the_sum_of_products() -> None:
    features = torch.randn(2, 3, 4, 5)
    expected = torch.zeros(2, 3, 3)
    for n in range(2):
        for i in range(3):
            for j in range(3):
                expected[n, i, j] = (features[n, i] * features[n, j]).sum() / (3 * 4 * 5)
    torch.testing.assert_close(losses.gram(features), expected)


def test_the_gradient_of_gram_is_that_of_its_formula() -> None:
    features = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 3)
    (found,) = torch.autograd.grad((losses.gram(features) * weights).sum(), features)
    flat = features.flatten(2)
    literal = flat @ flat.transpose(1, 2) / (3 * 4 * 5)
    (expected,) = torch.autograd.grad((literal * weights).sum(), features)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


def test_content_and_variation_by_their_formulas() -> None:
    one = {"a": torch.rand(1, 4, 6, 7), "b": torch.rand(1, 2, 3, 3)}
    two = {"a": torch.rand(1, 4, 6, 7), "b": torch.rand(1, 2, 3, 3)}
    expected = []
    for key in "ab":
        pairs = zip(one[key][0].flatten(1).numpy(), two[key][0].flatten(1).numpy(), strict=True)
        correlations = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
        expected.append(2 - 2 * np.mean(correlations))
    found = losses.content_loss(one, two, ("a", "b"))
    assert found.item() == pytest.approx(np.mean(expected), rel=0.01)
    brighter = {key: 5 * value + 3 for key, value in one.items()}
    assert losses.content_loss(brighter, two, ("a", "b")).item() == pytest.approx(
        found.item(), rel=0.01
    )
    ramp = torch.arange(8.0).expand(1, 3, 8, 8) * 255
    assert losses.total_variation(ramp).item() == pytest.approx(1.0)


def test_a_painting_has_no_style_loss_against_itself(tmp_path: Path) -> None:
    network = load_loss_network(vgg_npz(tmp_path / "v.npz")[0])
    painting, other = images(1, 64, 64), images(1, 64, 64, seed=1) * 0.4
    target = losses.style_target(network, painting)
    assert set(target) == LAYERS
    assert losses.style_loss(network(painting), target).item() < 1e-6
    assert losses.style_loss(network(other), target).item() > 0.05
    found, wanted = losses.gram(network(other)["relu2_1"]), target["relu2_1"]
    expected = ((found - wanted) ** 2).sum() / (wanted**2).sum()
    alone = losses.style_loss(network(other), {"relu2_1": wanted})
    torch.testing.assert_close(alone, expected, rtol=1e-4, atol=0)


def test_warping_and_the_temporal_loss() -> None:
    first = images(1, 20, 30)
    flow = torch.zeros(1, 20, 30, 2)
    flow[..., 0], flow[..., 1] = 2.0, -3.0
    second = torch.zeros_like(first)
    second[:, :, 3:, :-2] = first[:, :, :-3, 2:]
    visible = torch.zeros(1, 20, 30, dtype=torch.bool)
    visible[:, 3:, :-2] = True
    assert losses.temporal_loss(first, second, flow, visible).item() < 1e-9
    brighter = losses.temporal_loss(first, second + 25.5, flow, visible).item()
    assert brighter == pytest.approx(0.01, rel=1e-3)
    assert losses.temporal_loss(first, second, flow, ~visible).item() > 0.1
