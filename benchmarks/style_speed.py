"""How much faster each bundled style paints than the Fast Artistic Videos network, in one run.

    python benchmarks/style_speed.py [--width 640 --height 360 --threads 1 --repeats 5]

Prints one row per network: median and interquartile range of the seconds per frame after a warm-up
frame, and the speed relative to the Fast Artistic Videos architecture (7 input channels, reflected
padding of 40 at the start, none in its residual blocks), with torch's own layers in their default
layout and, below, with the faster norms and layout that this project uses. The networks take turns,
so that a busy machine slows all of them. The time of a style is that of `StyleModel.paint`, pixels
to pixels, that of the reference is that of the network alone.
"""

import argparse
import functools
import json
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from fastvid.style.cards import bundled_styles
from fastvid.style.loading import load_style
from fastvid.style.model import set_threads
from fastvid.style.network import InstanceNorm, build_network
from fastvid.system.allocator import keep_freed_memory

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
        return features[:, :, 2:-2, 2:-2] + self.body(features)


def with_plain_norms(module: nn.Module) -> None:
    """Replace the project's instance norms by torch's, everywhere below the module."""
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
        network = network.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)

    def paint() -> torch.Tensor:
        with torch.inference_mode():
            return network(images)

    return paint


def main() -> None:
    keep_freed_memory()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("width", 640), ("height", 360), ("threads", 1), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    set_threads(args.threads)
    frame = np.random.default_rng(0).integers(0, 256, (args.height, args.width, 3), np.uint8)
    contestants: dict[str, Callable[[], object]] = {
        "Fast Artistic Videos": reference(args.height, args.width, plain=True),
        "the same, our kernels": reference(args.height, args.width, plain=False),
    }
    for card in bundled_styles():
        model = load_style(card.name)
        contestants[card.name] = functools.partial(model.paint, [frame])
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(args.repeats + 1):
        for name, paint in contestants.items():
            start = time.perf_counter()
            paint()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    print_table(seconds, vars(args))


def print_table(seconds: dict[str, list[float]], settings: dict[str, int]) -> None:
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    slowest = next(iter(medians.values()))
    print(f"{'network':24} {'s/frame':>8} {'IQR':>8} {'speed':>7}")
    for name, times in seconds.items():
        quartiles = np.percentile(times, (25, 75))
        spread = quartiles[1] - quartiles[0]
        print(f"{name:24} {medians[name]:8.3f} {spread:8.3f} {slowest / medians[name]:6.1f}x")
    machine = f"{platform.machine()}, torch {torch.__version__}"
    print(json.dumps({"medians_s": medians, **settings, "machine": machine}))


if __name__ == "__main__":
    main()
