"""A style model: paints frames of any size, one after the other, with the same bytes every time."""

import hashlib
import math

import cv2
import numpy as np
import torch

from fastvid.style.checkpoint import Checkpoint, read_checkpoint
from fastvid.style.network import Layer, build_network, downsampling, for_painting

# Beyond the border the network sees the frame mirrored, at least this many pixels on each side.
BORDER = 8
# The bottleneck's reflections need a few features; a smaller frame is mirrored to this size.
MIN_SIDE = 48
# Peak of the process over its state before, per byte that `_bytes_per_pixel` counts: 0.73 to 1.22
# between 640x360 and 1920x1080, with 1 and 2 threads. The rest is reserve.
MEMORY_FACTOR = 1.4


def set_threads(count: int) -> None:
    """Let torch and OpenCV compute with `count` threads in this process (count >= 1)."""
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


class StyleModel:
    """A frame model: every frame is painted on its own, so frames can be painted on any rank.

    Same frame, same checkpoint, same number of threads, same kind of processor: same bytes,
    whatever was painted before. A frame is mirrored at its border up to a size that the network can
    halve without remainder, and the margin is cut off again.
    """

    kind = "frame"

    def __init__(self, checkpoint: Checkpoint, name: str, sha256: str) -> None:
        self.name = name
        self.sha256 = sha256
        self.arch = checkpoint.arch
        self._layers = checkpoint.layers
        self._multiple = downsampling(list(checkpoint.layers))
        self._mean_bgr = np.array(checkpoint.mean_bgr, np.float32)
        self._scale = np.float32(checkpoint.scale)
        with torch.device("meta"):
            network = build_network(checkpoint.arch)
        network.load_state_dict(checkpoint.weights, assign=True)
        network = for_painting(network).eval().requires_grad_(False)
        self._network = network.to(memory_format=torch.channels_last)

    def paint(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Paint frames, (H, W, 3) uint8 RGB each, into new ones of the same shape and type.

        The network's output is clipped to 0..255 and rounded to nearest. Frames are painted one by
        one: memory does not grow with the list, and bytes do not depend on its length.
        """
        return [self._paint_one(image) for image in images]

    def warm_up(self, height: int, width: int) -> None:
        """Paint one grey frame, so that the first real one does not pay for torch's start-up."""
        self._paint_one(np.full((height, width, 3), 128, np.uint8))

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes `paint` allocates at its peak for a frame of that size (estimate)."""
        top, bottom = _margins(height, self._multiple)
        left, right = _margins(width, self._multiple)
        pixels = (height + top + bottom) * (width + left + right)
        return int(pixels * _bytes_per_pixel(self._layers) * MEMORY_FACTOR)

    def _paint_one(self, image: np.ndarray) -> np.ndarray:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"a frame must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        rows, columns = _margins(height, self._multiple), _margins(width, self._multiple)
        padded = np.pad(image, (rows, columns, (0, 0)), mode="symmetric")
        features = padded[..., ::-1].astype(np.float32) - self._mean_bgr
        with torch.inference_mode():
            # (1, H, W, 3) seen as (1, 3, H, W) is the channels-last layout.
            output = self._network(torch.from_numpy(features[None]).permute(0, 3, 1, 2))
        painted = output[0].permute(1, 2, 0).numpy()
        painted = painted[rows[0] : rows[0] + height, columns[0] : columns[0] + width]
        levels = np.rint(painted * self._scale + self._mean_bgr).clip(0, 255)
        return np.ascontiguousarray(levels[..., ::-1].astype(np.uint8))


def load_frame_model(data: bytes, name: str) -> StyleModel:
    """The style model in the bytes of a checkpoint file; raises InputError as `read_checkpoint`."""
    return StyleModel(read_checkpoint(data, name), name, hashlib.sha256(data).hexdigest())


def _margins(length: int, multiple: int) -> tuple[int, int]:
    """Pixels to mirror before and after a side, so that it becomes a multiple and large enough."""
    wanted = max(length + 2 * BORDER, MIN_SIDE)
    extra = math.ceil(wanted / multiple) * multiple - length
    # A multiple in front keeps the grid of the coarse features where it is on every size.
    before = extra // 2 // multiple * multiple
    return before, extra - before


def _bytes_per_pixel(layers: tuple[Layer, ...]) -> float:
    """Bytes of the two largest neighbouring float32 feature maps, per pixel of the frame."""
    peak = 0.0
    scale = 1
    for layer in layers:
        read = 4 * layer.in_channels / scale**2
        written = 4 * layer.out_channels / layer.scale**2
        # The reflected copy of the input and the normalised copy of the output live at the side.
        peak = max(peak, 2 * read + written, read + 2 * written)
        scale = layer.scale
    return peak
