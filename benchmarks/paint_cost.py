"""What painting a frame costs on the CPU, and what other ways of running the network would cost.

    python benchmarks/paint_cost.py [--style starry_night --size 640x360 --threads 1 --repeats 9]

Each way runs the same weights on the same frame; they take turns, one round to warm up, then
medians of processor time (all threads) and of wall clock time. `levels` is the largest difference
to the layers as they were trained, computed in double precision, in 8-bit levels before rounding,
outside the margin that painting cuts off. ONNX Runtime and OpenVINO take part where they are
installed (with onnx); `--compile` adds torch.compile, which needs a C++ compiler and a minute.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import nn

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.style.checkpoint import read_checkpoint
from fastvid.style.loading import load_style, read_style
from fastvid.style.model import BORDER, set_threads
from fastvid.style.network import build_network, downsampling, for_painting, parse_arch
from fastvid.system.allocator import keep_freed_memory
from harness.arguments import size_of
from harness.paint_ways import Way, runtime_ways, torch_ways
from harness.result import Figure, add_json_option, measured, write_result

OURS = "as fastvid paints"
# The networks end in tanh * 150.
OUTPUT_SCALE = 150.0


def load(style: str) -> tuple[nn.Sequential, nn.Sequential, int]:
    """The layers as trained (with the borders of painting), those that paint, the multiple."""
    checkpoint = read_checkpoint(read_style(style).data)
    networks = []
    for convert in (lambda layers: layers, for_painting):
        network = build_network(checkpoint.arch)
        network.load_state_dict(checkpoint.weights)
        networks.append(convert(network).eval().requires_grad_(False))
    for module in networks[0].modules():
        if isinstance(module, nn.Conv2d) and module.padding == (1, 1):
            module.padding_mode = "replicate"
    return networks[0], networks[1], downsampling(parse_arch(checkpoint.arch))


def frame_and_pixels(size: str, multiple: int) -> tuple[np.ndarray, torch.Tensor]:
    """A frame of the generated clip, and the same as the network sees it."""
    width, height = size_of(size)
    frame = SyntheticClip(width, height, frame_count=1).frame(0)
    rows, columns = (
        (-(-(side + 2 * BORDER) // multiple) * multiple - side) for side in (height, width)
    )
    padded = np.pad(
        frame, ((BORDER, rows - BORDER), (BORDER, columns - BORDER), (0, 0)), mode="symmetric"
    )
    bgr = padded[None, :, :, ::-1].transpose(0, 3, 1, 2) - np.float32(118)
    return frame, torch.from_numpy(np.ascontiguousarray(bgr, np.float32))


def measure(ways: dict[str, Way], exact: torch.Tensor, repeats: int) -> list[Figure]:
    """Medians of each way, the ways in turns: processor time, wall clock, speed, difference."""
    outputs = {name: way() for name, way in ways.items()}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            began, clock = time.process_time(), time.perf_counter()
            way()
            processor[name].append(time.process_time() - began)
            wall[name].append(time.perf_counter() - clock)
    inner = (slice(None), slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    reference = statistics.median(processor[OURS])
    figures = []
    for name in ways:
        of, spent = {"way": name}, statistics.median(processor[name])
        levels = (outputs[name] - exact)[inner].abs().max().item() * OUTPUT_SCALE
        figures += [
            Figure("processor time", spent, "s a frame", of),
            Figure("wall clock", statistics.median(wall[name]), "s a frame", of),
            Figure("speed", reference / spent, "ratio", of),
            Figure("difference", levels, "levels", of),
        ]
    return figures


def print_table(figures: list[Figure]) -> None:
    """A row for each way."""
    columns = ("processor time", "wall clock", "speed", "difference")
    print(f"{'way':26} " + " ".join(f"{name:>14}" for name in columns))
    values = {(figure.of["way"], figure.name): figure.value for figure in figures}
    for way in dict.fromkeys(figure.of["way"] for figure in figures):
        print(f"{way:26} " + " ".join(f"{values[way, name]:14.3f}" for name in columns))


def main() -> None:
    """Measures every way and prints the table."""
    args = _parse()
    if args.keep_memory:
        keep_freed_memory()
    set_threads(args.threads)
    trained, painting, multiple = load(args.style)
    frame, pixels = frame_and_pixels(args.size, multiple)
    with torch.no_grad():
        ways = torch_ways(trained, painting, pixels, args.compile)
        ways.update(runtime_ways(trained, painting, pixels, args.threads))
        exact: torch.Tensor = copy.deepcopy(trained).double()(pixels.double())
        figures = measure(ways, exact, args.repeats)
    print_table(figures)
    model = load_style(args.style)
    whole = measure_whole(model.paint, frame, args.repeats)
    print(f"StyleModel.paint, from pixels to pixels: {whole:.3f} CPU s")
    figures.append(
        Figure("processor time", whole, "s a frame", {"way": "StyleModel.paint, pixels to pixels"})
    )
    write_result(args.json, measured("paint_cost", args, figures))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", default="starry_night")
    parser.add_argument("--size", default="640x360", metavar="WxH")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--compile", action="store_true", help="adds torch.compile")
    parser.add_argument(
        "--keep-memory",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="lets the process keep what it frees, as fastvid does",
    )
    add_json_option(parser)
    return parser.parse_args()


def measure_whole(
    paint: Callable[[list[np.ndarray]], object], frame: np.ndarray, repeats: int
) -> float:
    """Median processor time of painting one frame, in a thread, as a run does."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_median_time, partial(paint, [frame]), repeats).result()


def _median_time(paint: Callable[[], object], repeats: int) -> float:
    """Median processor time of a call, after one to warm up."""
    paint()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        paint()
        times.append(time.process_time() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
