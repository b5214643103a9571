"""One network that holds several styles, and its export into one plain checkpoint per style.

Conditional instance normalisation (Dumoulin, Shlens, Kudlur 2017): all convolutions are shared,
each style has its own scale and shift after every norm. Picking the rows of one style gives an
ordinary network of the grammar.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from fastvid.style.checkpoint import MEAN_BGR, SCALE
from fastvid.style.layers import InstanceNorm, ResidualBlock
from fastvid.style.network import build_network, for_painting
from fastvid.style.variant import Variant


class ConditionalNorm(nn.Module):
    """Instance norm with a row of scales and shifts per style; `style` chooses the row."""

    def __init__(self, styles: int, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(styles, channels))
        self.bias = nn.Parameter(torch.zeros(styles, channels))
        self.eps = eps
        self.style = 0

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weight[self.style], self.bias[self.style]
        if len(features) > 1:
            return F.instance_norm(features, weight=weight, bias=bias, eps=self.eps)
        # The same for one picture, without the copies that instance norm makes.
        return F.batch_norm(features, None, None, weight, bias, True, 0.0, self.eps)


class StyleBank(nn.Module):
    """A network of the grammar for `styles` styles. Keys are those of the plain network."""

    variant = Variant()
    mean: torch.Tensor

    def __init__(self, arch: str, styles: int) -> None:
        super().__init__()
        self.arch = arch
        network = build_network(arch, variant=self.variant)
        _make_conditional(network, styles)
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN_BGR).reshape(1, 3, 1, 1), persistent=False)
        self._norms = [part for part in network.modules() if isinstance(part, ConditionalNorm)]
        # In a tuple, so that its modules are not registered twice.
        self._painting = (for_painting(network),)

    def forward(self, images: torch.Tensor, style: int) -> torch.Tensor:
        """Paints (N, 3, H, W) float32 BGR 0..255; the result may go a little beyond 0..255."""
        return self._levels(images - self.mean, style)

    def _levels(self, inputs: torch.Tensor, style: int) -> torch.Tensor:
        """What the network makes of its input channels, as BGR 0..255."""
        for norm in self._norms:
            norm.style = style
        painted: torch.Tensor = self._painting[0](inputs)
        return painted.float() * SCALE + self.mean

    def norm_parameters(self) -> list[nn.Parameter]:
        """The scales and shifts of all styles."""
        return [parameter for norm in self._norms for parameter in norm.parameters()]

    def load_styles(self, styles: Sequence[Mapping[str, torch.Tensor]]) -> None:
        """Take over plain weights of one network: its convolutions, and each style's norms.

        Keys and shapes are those of the plain network of `arch`.
        """
        weights = {
            key: torch.stack([style[key] for style in styles])
            if value.ndim == 2
            else styles[0][key]
            for key, value in self.network.state_dict().items()
        }
        self.network.load_state_dict(weights)

    def exported(self, style: int) -> dict[str, torch.Tensor]:
        """The state dict of the plain network of one style, on the CPU."""
        return pick_style(self.network.state_dict(), style)


def pick_style(weights: dict[str, torch.Tensor], style: int) -> dict[str, torch.Tensor]:
    """The plain weights of one style: of each norm's (styles, channels) table, one row.

    No other weight has two dimensions.
    """
    return {
        key: (value[style] if value.ndim == 2 else value).detach().cpu().clone()
        for key, value in weights.items()
    }


def _make_conditional(network: nn.Sequential, styles: int) -> None:
    for position, module in enumerate(network):
        if isinstance(module, ResidualBlock):
            _make_conditional(module.body, styles)
        elif isinstance(module, InstanceNorm):
            network[position] = ConditionalNorm(styles, module.num_features, module.eps)
