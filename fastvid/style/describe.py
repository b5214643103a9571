"""What a model is, in words: its format, kind, layers and borders."""

import math

from fastvid.style.cards import find_style
from fastvid.style.checkpoint import Checkpoint, read_checkpoint
from fastvid.style.margins import BORDER
from fastvid.style.network import downsampling

_CHANNELS = {
    "frame": "3 channels: the frame",
    "recurrent": "7 channels: the frame, the previous result along the flow, the mask",
}


def describe_file(name_or_path: str) -> str:
    """What a style or a file is, in some lines. Raises InputError if it is no model."""
    return describe_model(read_checkpoint(find_style(name_or_path)), name_or_path)


def describe_model(model: Checkpoint, name: str) -> str:
    """Format, kind, layers, channels, parameters, borders and range of values, in some lines."""
    variant = model.variant
    parameters = sum(math.prod(weight.shape) for weight in model.weights.values())
    colours = "RGB" if variant.order == "rgb" else "BGR"
    means = ", ".join(f"{mean:g}" for mean in model.mean_bgr)
    ends = "tanh" if variant.output == "tanh" else "the last layer"
    norms = "each but the last" if variant.norm_upsampled else "each but the last and the Us"
    lines = [
        f"{name}: {variant.kind} model, format: {model.source}",
        f"layers       {model.arch}",
        f"             norm and ReLU behind {norms}, norm epsilon {variant.norm_eps:g}"
        + (", statistics of the training (batch norm)" if variant.norm == "fixed" else ""),
        f"input        {_CHANNELS[variant.kind]}",
        f"             {colours} levels 0..255 minus {means}",
        f"output       {model.scale:g} x {ends}, plus {means}, rounded and clipped to 0..255",
        f"parameters   {parameters:,}",
        f"frame sides  downsampled by {downsampling(list(model.layers))}; any size is painted",
    ]
    return "\n".join(lines + _borders(model))


def _borders(model: Checkpoint) -> list[str]:
    variant = model.variant
    if variant.borders == "mirrored":
        return [f"borders      mirrored, at least {BORDER} pixels a side"]
    start = variant.start_padding
    first = f"{start} pixels of reflection before the first layer" if start else "as trained"
    blocks = "none, which crops 2 a side" if variant.residual == "crop" else variant.residual
    return [
        f"borders      {first}; padding of convolutions: {variant.convolution}, "
        f"in residual blocks: {blocks}"
    ]
