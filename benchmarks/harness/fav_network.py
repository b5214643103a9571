"""The network of Fast Artistic Videos, which the speed of the styles is compared with."""

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from fastvid.style.layers import InstanceNorm
from fastvid.style.network import build_network
from harness.networks import channels_last

FAV_ARCH = "c9s1-32,d64,d128,R128,R128,R128,R128,R128,U2,c3s1-64,U2,c9s1-3"
FAV_CHANNELS = 7
FAV_PADDING = 40


class CroppingBlock(nn.Module):
    """The residual block of Fast Artistic Videos: unpadded, its shortcut loses 2 pixels a side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = self.body(features)
        return features[:, :, 2:-2, 2:-2] + change


def with_plain_norms(module: nn.Module) -> None:
    """Replaces the project's instance norms by torch's, everywhere below the module."""
    for name, part in module.named_children():
        if isinstance(part, InstanceNorm):
            setattr(module, name, nn.InstanceNorm2d(part.num_features, affine=True))
        else:
            with_plain_norms(part)


def reference(height: int, width: int, plain: bool) -> Callable[[], object]:
    """One frame through the Fast Artistic Videos network, random weights."""
    layers = [
        CroppingBlock(128) if hasattr(layer, "body") else layer
        for layer in build_network(FAV_ARCH, FAV_CHANNELS)
    ]
    network = nn.Sequential(nn.ReflectionPad2d(FAV_PADDING), *layers).eval()
    images = torch.randn(1, FAV_CHANNELS, height, width) * 60
    if plain:
        with_plain_norms(network)
    else:
        network = channels_last(network)
        images = images.to(memory_format=torch.channels_last)

    def paint() -> torch.Tensor:
        with torch.inference_mode():
            painted: torch.Tensor = network(images)
            return painted

    return paint


def seconds_in_turns(paints: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of what takes turns, after a round to warm up.

    A time is the shorter of wall clock and processor time: a busy machine does not count.
    """
    seconds: list[list[float]] = [[] for _ in paints]
    for repeat in range(repeats + 1):
        for times, paint in zip(seconds, paints, strict=True):
            wall, processor = time.perf_counter(), time.process_time()
            paint()
            if repeat:
                times.append(min(time.perf_counter() - wall, time.process_time() - processor))
    return [statistics.median(times) for times in seconds]
