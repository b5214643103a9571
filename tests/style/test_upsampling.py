"""Upsampling and convolution in one step, against doing one after the other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fastvid.style.layers import ReflectConv2d
from fastvid.style.network import build_network, for_painting
from fastvid.style.upsampling import PhasedConv2d


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9, 15])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_equals_upsampling_and_then_convolving(kernel: int, factor: int) -> None:
    """Also at the border, where the low-resolution picture goes on as its last pixel."""
    torch.manual_seed(kernel)
    convolution = nn.Conv2d(3, 2, kernel).double()
    features = torch.randn(2, 3, 7, 10, dtype=torch.float64)
    margin = kernel  # more than any kernel reads
    wide = F.interpolate(F.pad(features, (margin,) * 4, mode="replicate"), scale_factor=factor)
    cut = margin * factor - kernel // 2
    expected = convolution(wide[:, :, cut:-cut, cut:-cut] if cut else wide)
    assert torch.allclose(PhasedConv2d(convolution, factor)(features), expected)


def test_only_layers_that_it_can_express_are_replaced() -> None:
    assert PhasedConv2d.fits(ReflectConv2d(4, 3, 9, 1), 2.0)
    assert not PhasedConv2d.fits(ReflectConv2d(4, 3, 9, 2), 2.0)
    assert not PhasedConv2d.fits(nn.Conv2d(4, 3, 4), 2.0)
    assert not PhasedConv2d.fits(nn.ConvTranspose2d(4, 3, 3), 2.0)
    assert not PhasedConv2d.fits(nn.Conv2d(4, 3, 9), 1.5)


def test_the_network_paints_and_learns_through_it() -> None:
    """The weights of the network as it is stored get their gradients."""
    torch.manual_seed(1)
    network = build_network("c3s1-4,d6,R6,U2,c9s1-3")
    painting = for_painting(network)
    assert any(isinstance(module, PhasedConv2d) for module in painting)
    painting(torch.randn(1, 3, 24, 32)).square().mean().backward()
    last = network[-2]
    assert isinstance(last, nn.Conv2d) and last.weight.grad is not None
    assert last.weight.grad.abs().min() > 0
