"""Ways to run the network of a style on the CPU."""

import copy
import importlib.util
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from harness.networks import MomentsNorm, channels_last, for_runtimes, to_onnx, with_norm

Way = Callable[[], torch.Tensor]


def torch_ways(
    trained: nn.Sequential, painting: nn.Sequential, pixels: torch.Tensor, compiled: bool
) -> dict[str, Way]:
    """Everything that torch itself offers."""
    rows = pixels.to(memory_format=torch.channels_last)
    trained, wide = channels_last(copy.deepcopy(trained)), copy.deepcopy(painting)
    painting = channels_last(copy.deepcopy(painting))
    moments = with_norm(painting, MomentsNorm)
    frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(moments, rows)))

    def half() -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            painted: torch.Tensor = painting(rows)
        return painted.float()

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
    """ONNX Runtime and OpenVINO, as far as they are installed; none without onnx."""
    if not is_installed("onnx"):
        return {}
    models = {
        "": to_onnx(for_runtimes(painting), pixels),
        ", as trained": to_onnx(for_runtimes(trained), pixels),
    }
    ways: dict[str, Way] = {}
    if is_installed("onnxruntime"):
        ways |= _onnx_runtime_ways(models, pixels, threads)
    if is_installed("openvino"):
        ways |= _openvino_ways(models, pixels, threads)
    return ways


def is_installed(module: str) -> bool:
    """Whether there is such a module, without loading it."""
    return importlib.util.find_spec(module) is not None


def _onnx_runtime_ways(
    models: Mapping[str, bytes], pixels: torch.Tensor, threads: int
) -> Iterator[tuple[str, Way]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    feed = {"pixels": pixels.numpy()}
    for note, model in models.items():
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        yield f"ONNX Runtime{note}", partial(_first, session.run, None, feed)


def _openvino_ways(
    models: Mapping[str, bytes], pixels: torch.Tensor, threads: int
) -> Iterator[tuple[str, Way]]:
    import openvino

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
        yield f"OpenVINO{note}", partial(_first, compiled, [pixels.numpy()])


def _first(run: Callable[..., Sequence[np.ndarray]], *given: object) -> torch.Tensor:
    """The first of the arrays that a runtime gives, in memory of its own."""
    return torch.from_numpy(np.array(run(*given)[0]))
