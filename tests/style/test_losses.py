"""Every loss against its formula, and the loss networks against their layers written out."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastvid.errors import InputError
from fastvid.style import losses
from fastvid.style.lossnet import _VGG16, _VGG19, load_loss_network
from support.loss_networks import squeezenet_file, vgg_file


def images(count: int = 1, height: int = 40, width: int = 44, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator) * 255


def test_squeezenet_is_its_layers_written_out(tmp_path: Path) -> None:
    path, arrays = squeezenet_file(tmp_path / "s.npz")
    picture = images(2)
    w = {key: torch.from_numpy(value) for key, value in arrays.items()}

    def conv(x: torch.Tensor, key: str, **options: int) -> torch.Tensor:
        return F.relu(F.conv2d(x, w[f"{key}.w"], w[f"{key}.b"], **options))

    def fire(x: torch.Tensor, n: int) -> torch.Tensor:
        squeezed = conv(x, f"fire{n}/s")
        three = conv(squeezed, f"fire{n}/e3", padding=1)
        return torch.cat([conv(squeezed, f"fire{n}/e1"), three], 1)

    def pool(x: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)

    x = picture - torch.tensor([104.0, 117.0, 123.0]).reshape(1, 3, 1, 1)
    expected = {"conv1": conv(x, "conv1", stride=2)}
    expected["fire2"] = fire(pool(expected["conv1"]), 2)
    expected["fire4"] = fire(fire(expected["fire2"], 3), 4)
    expected["fire6"] = fire(fire(pool(expected["fire4"]), 5), 6)
    expected["fire8"] = fire(fire(expected["fire6"], 7), 8)
    found = load_loss_network(path)(picture)
    assert set(found) == set(expected)
    for layer, value in expected.items():
        torch.testing.assert_close(found[layer], value)


def test_vgg16_is_its_layers_written_out(tmp_path: Path) -> None:
    path, state = vgg_file(tmp_path / "v.pth", _VGG16)
    picture = images(1, 32, 40)
    rgb = picture.flip(1) / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    x = (rgb - mean) / std
    names = {2: "relu1_2", 7: "relu2_2", 14: "relu3_3", 21: "relu4_3"}
    found = load_loss_network(path)(picture)
    for position in (0, 2, "M", 5, 7, "M", 10, 12, 14, "M", 17, 19, 21):
        if position == "M":
            x = F.max_pool2d(x, 2)
            continue
        bias = state[f"features.{position}.bias"]
        x = F.relu(F.conv2d(x, state[f"features.{position}.weight"], bias, padding=1))
        if position in names:
            torch.testing.assert_close(found[names[position]], x, atol=1e-4, rtol=1e-4)
    assert set(found) == set(names.values())


def test_vgg19_is_told_from_vgg16(tmp_path: Path) -> None:
    path, state = vgg_file(tmp_path / "v.pth", _VGG19)
    state["features.34.weight"] = torch.zeros(512, 512, 3, 3)
    torch.save(state, path)
    found = load_loss_network(path)(images(1, 32, 32))
    assert found["relu4_3"].shape == (1, 512, 4, 4)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"fire3/e1.w": np.zeros((64, 17, 1, 1), np.float32)}, "fire3/e1.w"),
        ({"conv1.b": np.full(96, np.nan, np.float32)}, "conv1.b"),
        ({"conv1.w": np.zeros((96, 3), np.float32)}, "conv1.w"),
    ],
)
def test_a_loss_network_that_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, np.ndarray], reason: str
) -> None:
    path, _ = squeezenet_file(tmp_path / "s.npz", change)
    with pytest.raises(InputError, match=reason):
        load_loss_network(path)


def test_foreign_loss_networks_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"not a network", b"PK\x03\x04"):
        path = tmp_path / "x.npz"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"x.npz"):
            load_loss_network(str(path))
    np.savez(tmp_path / "y.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="no loss network"):
        load_loss_network(str(tmp_path / "y.npz"))
    with pytest.raises(InputError, match="nowhere"):
        load_loss_network(str(tmp_path / "nowhere.npz"))


def test_gram_is_the_sum_of_products() -> None:
    features = torch.randn(2, 3, 4, 5)
    expected = torch.zeros(2, 3, 3)
    for n in range(2):
        for i in range(3):
            for j in range(3):
                expected[n, i, j] = (features[n, i] * features[n, j]).sum() / (3 * 4 * 5)
    torch.testing.assert_close(losses.gram(features), expected)


def test_content_and_variation_by_their_formulas() -> None:
    one, two = torch.rand(1, 4, 6, 7), torch.rand(1, 4, 6, 7)
    expected = ((one - two) ** 2).mean() / (two**2).mean()
    torch.testing.assert_close(losses.content_loss(one, two), expected, rtol=1e-4, atol=0)
    ramp = torch.arange(8.0).expand(1, 3, 8, 8) * 255
    assert losses.total_variation(ramp).item() == pytest.approx(1.0)


def test_a_painting_has_no_style_or_palette_loss_against_itself(tmp_path: Path) -> None:
    network = load_loss_network(squeezenet_file(tmp_path / "s.npz")[0])
    painting, other = images(1, 64, 64), images(1, 64, 64, seed=1) * 0.4
    target = losses.style_target(network, painting)
    assert losses.style_loss(network(painting), painting, target).item() < 1e-6
    assert losses.palette_loss(painting, target).item() < 1e-9
    assert losses.style_loss(network(other), other, target).item() > 0.05
    assert losses.palette_loss(other, target).item() > 0.01


def test_palette_ignores_where_colours_are() -> None:
    painting = images(1, 48, 48)
    target = losses.StyleTarget({}, losses.sorted_colors(painting))
    assert losses.palette_loss(painting.flip(2, 3), target).item() < 1e-9
    directions = losses.palette_directions()
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(len(directions)))


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
