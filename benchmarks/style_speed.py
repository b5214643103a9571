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
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from fastvid.style.cards import bundled_styles
from fastvid.style.loading import load_style
from fastvid.style.model import set_threads
from fastvid.system.allocator import keep_freed_memory
from harness.fav_network import reference
from harness.result import Figure, add_json_option, measured, write_result


def main() -> None:
    """Lets the networks take turns and prints the table."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("width", 640), ("height", 360), ("threads", 1), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    add_json_option(parser)
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
    figures = list(figures_of(seconds))
    print_table(figures)
    write_result(args.json, measured("style_speed", args, figures))


def figures_of(seconds: Mapping[str, list[float]]) -> Iterator[Figure]:
    """Medians and quartiles of each network, and its speed over that of the first one."""
    slowest = statistics.median(next(iter(seconds.values())))
    for name, times in seconds.items():
        median = statistics.median(times)
        low, high = (float(quartile) for quartile in np.percentile(times, (25, 75)))
        yield Figure("time", median, "s a frame", {"network": name}, low, high)
        yield Figure("speed", slowest / median, "ratio", {"network": name})


def print_table(figures: list[Figure]) -> None:
    """A row for each network."""
    print(f"{'network':24} {'s/frame':>8} {'IQR':>8} {'speed':>7}")
    for time_of, speed in zip(figures[::2], figures[1::2], strict=True):
        assert time_of.low is not None and time_of.high is not None
        name, spread = time_of.of["network"], time_of.high - time_of.low
        print(f"{name:24} {time_of.value:8.3f} {spread:8.3f} {speed.value:6.1f}x")


if __name__ == "__main__":
    main()
