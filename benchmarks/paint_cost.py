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
import io
import json
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from fastvid.commands.clip import SyntheticClip
from fastvid.style.checkpoint import read_checkpoint
from fastvid.style.loading import load_style, read_style
from fastvid.style.model import BORDER, set_threads
from fastvid.style.network import (
    InstanceNorm,
    UpsampledConv2d,
    build_network,
    downsampling,
    for_painting,
    parse_arch,
)
from fastvid.style.upsampling import PhasedConv2d, phase_weights
from fastvid.system.allocator import keep_freed_memory
from fastvid.system.resources import processor_name

Way = Callable[[], torch.Tensor]


class MomentsNorm(nn.Module):
    """Instance norm as one reduction and one multiply-add."""

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(features, (2, 3), correction=0, keepdim=True)
        gain = self.weight[None, :, None, None] * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias[None, :, None, None] - mean * gain, features, gain)


class PlainNorm(MomentsNorm):
    """Instance norm as the one operator that runtimes know."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.instance_norm(features, weight=self.weight, bias=self.bias, eps=self.eps)


class FixedConv(nn.Module):
    """A convolution of fixed weights behind replication, transposed or dealt out by phases."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.transposed = isinstance(module, UpsampledConv2d)
        convolution = module if isinstance(module, nn.Conv2d) else module.convolution
        weight, bias = convolution.weight.detach(), convolution.bias.detach()
        self.stride = convolution.stride
        self.factor = 1
        border = 1
        if isinstance(module, UpsampledConv2d):
            taps = 4 * F.avg_pool2d(F.pad(weight.flip(2, 3), (1, 1, 1, 1)), 2, stride=1)
            weight = taps.transpose(0, 1).contiguous()
        elif isinstance(module, PhasedConv2d):
            self.factor = module.factor
            weight = phase_weights(weight, self.factor)
            bias = bias.repeat_interleave(self.factor**2)
            border = weight.shape[-1] // 2
        self.pad = nn.ReplicationPad2d(border)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = self.pad(features)
        if self.transposed:
            return F.conv_transpose2d(features, self.weight, self.bias, stride=2, padding=3)
        output = F.conv2d(features, self.weight, self.bias, stride=self.stride)
        return F.pixel_shuffle(output, self.factor) if self.factor > 1 else output


def with_norm(network: nn.Module, norm: type[MomentsNorm]) -> nn.Module:
    """A copy with another instance norm."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, norm(child))
    return network


def for_runtimes(network: nn.Sequential) -> nn.Module:
    """The network in operators with fixed weights only."""
    fixed = [
        FixedConv(layer)
        if isinstance(layer, (UpsampledConv2d, PhasedConv2d))
        or getattr(layer, "padding_mode", "") == "replicate"
        else layer
        for layer in network
    ]
    return with_norm(nn.Sequential(*fixed), PlainNorm).eval()


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


def torch_ways(
    trained: nn.Sequential, painting: nn.Sequential, pixels: torch.Tensor, compiled: bool
) -> dict[str, Way]:
    """Everything that torch itself offers."""
    last = torch.channels_last
    rows = pixels.to(memory_format=last)
    trained, wide = copy.deepcopy(trained).to(memory_format=last), copy.deepcopy(painting)
    painting = copy.deepcopy(painting).to(memory_format=last)
    moments = with_norm(painting, MomentsNorm)
    frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(moments, rows)))

    def half() -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return painting(rows).float()

    ways: dict[str, Way] = {
        "layers as trained": lambda: trained(rows),
        "as fastvid paints": lambda: painting(rows),
        "not channels_last": lambda: wide(pixels),
        "norm by var_mean": lambda: moments(rows),
        "torch.jit, frozen": lambda: frozen(rows),
        "bfloat16": half,
    }
    if compiled:
        fused = torch.compile(moments)
        ways["torch.compile"] = lambda: fused(rows)
    return ways


def runtime_ways(
    trained: nn.Sequential, painting: nn.Sequential, pixels: torch.Tensor, threads: int
) -> dict[str, Way]:
    """ONNX Runtime and OpenVINO, as far as they are installed."""
    ways: dict[str, Way] = {}
    array = pixels.numpy()
    models = {
        "": to_onnx(for_runtimes(painting), pixels),
        ", as trained": to_onnx(for_runtimes(trained), pixels),
    }
    try:
        import onnxruntime
    except ImportError:
        pass
    else:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        for note, model in models.items():
            session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
            ways[f"ONNX Runtime{note}"] = lambda session=session: torch.from_numpy(
                session.run(None, {"pixels": array})[0]
            )
    try:
        import openvino
    except ImportError:
        return ways
    core = openvino.Core()
    for note, model, precision in (
        ("", models[""], "f32"),
        (", as trained", models[", as trained"], "f32"),
        (", bfloat16", models[""], "bf16"),
    ):
        compiled = core.compile_model(
            core.read_model(io.BytesIO(model)),
            "CPU",
            {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision},
        )
        ways[f"OpenVINO{note}"] = lambda compiled=compiled: torch.from_numpy(
            np.array(compiled([array])[0])
        )
    return ways


def to_onnx(network: nn.Module, pixels: torch.Tensor) -> bytes:
    """The network as an ONNX model."""
    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (pixels,),
        buffer,
        opset_version=17,
        dynamo=False,
        input_names=["pixels"],
        output_names=["painted"],
    )
    return buffer.getvalue()


def frame_and_pixels(size: str, multiple: int) -> tuple[np.ndarray, torch.Tensor]:
    """A frame of the generated clip, and the same as the network sees it."""
    width, height = (int(side) for side in size.split("x"))
    frame = SyntheticClip(width, height, frame_count=1).frame(0)
    rows, columns = (
        (-(-(side + 2 * BORDER) // multiple) * multiple - side) for side in (height, width)
    )
    padded = np.pad(
        frame, ((BORDER, rows - BORDER), (BORDER, columns - BORDER), (0, 0)), mode="symmetric"
    )
    bgr = padded[None, :, :, ::-1].transpose(0, 3, 1, 2) - np.float32(118)
    return frame, torch.from_numpy(np.ascontiguousarray(bgr, np.float32))


def measure(
    ways: dict[str, Way], exact: torch.Tensor, repeats: int
) -> list[dict[str, float | str]]:
    """Medians of each way; the ways take turns."""
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
    rows: list[dict[str, float | str]] = []
    for name in ways:
        different = (outputs[name] - exact)[inner].abs().max().item() * 150.0
        rows.append(
            {
                "way": name,
                "cpu_s": statistics.median(processor[name]),
                "wall_s": statistics.median(wall[name]),
                "levels": different,
            }
        )
    return rows


def main() -> None:
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
    args = parser.parse_args()
    if args.keep_memory:
        keep_freed_memory()
    set_threads(args.threads)
    trained, painting, multiple = load(args.style)
    frame, pixels = frame_and_pixels(args.size, multiple)
    with torch.no_grad():
        ways = torch_ways(trained, painting, pixels, args.compile)
        try:
            import onnx  # noqa: F401
        except ImportError:
            pass
        else:
            ways.update(runtime_ways(trained, painting, pixels, args.threads))
        exact = copy.deepcopy(trained).double()(pixels.double())
        rows = measure(ways, exact, args.repeats)
    print(f"{'way':26} {'CPU s':>7} {'wall s':>7} {'speed':>6} {'levels':>7}")
    for row in rows:
        speed = float(rows[0]["cpu_s"]) / float(row["cpu_s"])
        print(
            f"{row['way']:26} {row['cpu_s']:7.3f} {row['wall_s']:7.3f} {speed:5.2f}x "
            f"{row['levels']:7.3f}"
        )
    model = load_style(args.style)
    whole = measure_whole(model.paint, frame, args.repeats)
    print(f"StyleModel.paint, from pixels to pixels: {whole:.3f} CPU s")
    print(
        json.dumps(
            {
                "rows": rows,
                "paint_cpu_s": whole,
                **vars(args),
                "torch": torch.__version__,
                "processor": processor_name(),
                "system": platform.platform(),
            }
        )
    )


def measure_whole(
    paint: Callable[[list[np.ndarray]], object], frame: np.ndarray, repeats: int
) -> float:
    """Median processor time of painting one frame, in a thread, as a run does."""

    def run() -> float:
        paint([frame])
        times = []
        for _ in range(repeats):
            began = time.process_time()
            paint([frame])
            times.append(time.process_time() - began)
        return statistics.median(times)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


if __name__ == "__main__":
    main()
