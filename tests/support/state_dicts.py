"""State dicts as other PyTorch programs save them."""

import io

import torch

from fastvid.style.variant import Variant
from support.original_networks import EXAMPLES_ARCH, FAV_ARCH, FAV_VIDEO, random_weights

EXAMPLES = Variant(borders="as-trained", norm_upsampled=False, output="linear", order="rgb")


# Own key: the key of the port's Sequential, whose place 0 is the padding.
PORT_KEYS = {
    "0": "1",
    "1": "2",
    "3": "4",
    "4": "5",
    "6": "7",
    "7": "8",
    "9.body.0": "10.0.0.0",
    "9.body.1": "10.0.0.1",
    "9.body.3": "10.0.0.3",
    "9.body.4": "10.0.0.4",
    "10.body.0": "11.0.0.0",
    "10.body.1": "11.0.0.1",
    "10.body.3": "11.0.0.3",
    "10.body.4": "11.0.0.4",
    "12": "13",
    "14": "15",
    "15": "16",
    "18": "19",
    "20": "21",
}


EXAMPLES_KEYS = {
    "0": "conv1.conv2d",
    "1": "in1",
    "3": "conv2.conv2d",
    "4": "in2",
    "6": "conv3.conv2d",
    "7": "in3",
    "9.body.0": "res1.conv1.conv2d",
    "9.body.1": "res1.in1",
    "9.body.3": "res1.conv2.conv2d",
    "9.body.4": "res1.in2",
    "10.body.0": "res2.conv1.conv2d",
    "10.body.1": "res2.in1",
    "10.body.3": "res2.conv2.conv2d",
    "10.body.4": "res2.in2",
    "12": "deconv1.conv2d",
    "13": "in4",
    "16": "deconv2.conv2d",
    "17": "in5",
    "19": "deconv3.conv2d",
}


def renamed(weights: dict[str, torch.Tensor], keys: dict[str, str]) -> dict[str, torch.Tensor]:
    parts = [key.rpartition(".") for key in weights]
    return {f"{keys[layer]}.{kind}": weights[f"{layer}.{kind}"] for layer, _, kind in parts}


def saved(content: object, legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


FAV_WEIGHTS = random_weights(FAV_ARCH, FAV_VIDEO)


PORT = renamed(FAV_WEIGHTS, PORT_KEYS)


def examples_weights() -> dict[str, torch.Tensor]:
    """Weights that give a picture in 0..255 without tanh."""
    weights = random_weights(EXAMPLES_ARCH, EXAMPLES)
    weights["19.weight"] *= 60
    weights["19.bias"] += 120
    return weights
