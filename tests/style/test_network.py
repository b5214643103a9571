"""The network grammar against a literal restatement of its layers."""

import pytest
import torch
import torch.nn.functional as F

from fastvid.errors import InputError
from fastvid.style.network import build_network, downsampling, parameter_shapes, parse_arch

ARCH = "c9s1-4,d6,d8,R8,u6,U2,c3s1-5,c5s1-3"


def seeded_network(arch: str) -> torch.nn.Sequential:
    torch.manual_seed(3)
    network = build_network(arch)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


def norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Instance norm by its definition (biased variance, eps 1e-5)."""
    mean = x.mean((2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight[:, None, None] + bias[:, None, None]


def reflected(x: torch.Tensor, w: dict[str, torch.Tensor], key: str, border: int) -> torch.Tensor:
    return F.conv2d(F.pad(x, (border,) * 4, mode="reflect"), w[f"{key}.weight"], w[f"{key}.bias"])


def plain_forward(x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """ARCH, layer by layer, with the positions of the checkpoint format written out."""
    x = F.relu(norm(reflected(x, w, "0", 4), w["1.weight"], w["1.bias"]))
    x = F.conv2d(x, w["3.weight"], w["3.bias"], stride=2, padding=1)
    x = F.relu(norm(x, w["4.weight"], w["4.bias"]))
    x = F.conv2d(x, w["6.weight"], w["6.bias"], stride=2, padding=1)
    x = F.relu(norm(x, w["7.weight"], w["7.bias"]))
    y = F.relu(norm(reflected(x, w, "9.body.0", 1), w["9.body.1.weight"], w["9.body.1.bias"]))
    x = x + norm(reflected(y, w, "9.body.3", 1), w["9.body.4.weight"], w["9.body.4.bias"])
    x = F.conv_transpose2d(x, w["10.weight"], w["10.bias"], stride=2, padding=1, output_padding=1)
    x = F.relu(norm(x, w["11.weight"], w["11.bias"]))
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.relu(norm(x, w["14.weight"], w["14.bias"]))
    x = F.relu(norm(reflected(x, w, "16", 1), w["17.weight"], w["17.bias"]))
    return torch.tanh(reflected(x, w, "19", 2))


@pytest.mark.parametrize("batch", [1, 2])
def test_network_equals_the_layers_written_out(batch: int) -> None:
    network = seeded_network(ARCH)
    picture = torch.randn(batch, 3, 20, 28) * 60
    with torch.no_grad():
        torch.testing.assert_close(
            network(picture), plain_forward(picture, network.state_dict()), atol=1e-4, rtol=1e-4
        )


def test_parameter_shapes_are_those_of_the_network() -> None:
    shapes = {key: tuple(value.shape) for key, value in build_network(ARCH).state_dict().items()}
    assert parameter_shapes(parse_arch(ARCH)) == shapes
    assert downsampling(parse_arch(ARCH)) == 4


def test_a_seven_channel_network_can_be_built() -> None:
    assert build_network("c3s1-4,c3s1-3", in_channels=7)[0].weight.shape == (4, 7, 3, 3)


@pytest.mark.parametrize(
    "arch, named",
    [
        ("", "''"),
        ("c9s1-16,x32,c9s1-3", "x32"),
        ("c9s1-16,d32,R64,U2,c9s1-3", "R64"),
        ("c8s1-16,c9s1-3", "c8s1-16"),
        ("c9s0-16,c9s1-3", "c9s0-16"),
        ("c9s1-0,c9s1-3", "c9s1-0"),
        ("c9s1-99999,c9s1-3", "c9s1-99999"),
        ("c9s1-16,c9s1-4", "c9s1-4"),
        ("c9s1-16,d32,c9s1-3", "1/2"),
        ("c9s1-16,U2,d32,c9s1-3", "U2"),
        ("c9s100-16,c9s1-3", "c9s100-16"),
        ("c3s1-3,U2", "U2"),
        ("c3s1-3," * 300 + "c3s1-3", "301 layers"),
    ],
)
def test_bad_lines_name_the_token(arch: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        build_network(arch)
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3
