"""A style model: paints frames of any size, with the same bytes every time."""

import hashlib
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import cv2
import numpy as np
import torch

from fastvid.errors import InputError
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


class PendingFrames:
    """Painted frames that a device may still be at work on.

    levels: (N, H, W, 3) uint8 RGB on the host. finite: whether all numbers were, a bool tensor.
    count: how many of the N frames were asked for. done: when both are complete; None: they are.
    """

    def __init__(self, levels: torch.Tensor, finite: torch.Tensor, count: int,
                 done: "torch.cuda.Event | None" = None) -> None:
        self._levels = levels
        self._finite = finite
        self._count = count
        self._done = done

    def ready(self) -> bool:
        """Whether the device is done."""
        return self._done is None or bool(self._done.query())

    def images(self) -> list[np.ndarray]:
        """The frames, (H, W, 3) uint8 RGB each; waits for them.

        Raises InputError if a number is not finite.
        """
        if self._done is not None:
            self._done.synchronize()
        if not self._finite.item():
            raise InputError("the style model's numbers overflow. On a GPU, which computes in half "
                             "precision, try --device cpu; otherwise the style is broken.")
        return [frame.copy() for frame in self._levels[: self._count].numpy()]


class StyleModel:
    """A frame model: every frame is painted on its own, so frames can be painted on any rank.

    Same frame, same checkpoint, same number of threads, same kind of processor and device: same
    bytes, whatever was painted before. A frame is mirrored at its border up to a size that the
    network can halve without remainder, and the margin is cut off again.
    """

    kind = "frame"

    def __init__(self, checkpoint: Checkpoint, name: str, sha256: str) -> None:
        self.name = name
        self.sha256 = sha256
        self.arch = checkpoint.arch
        self._layers = checkpoint.layers
        self._multiple = downsampling(list(checkpoint.layers))
        self._mean_bgr = torch.tensor(checkpoint.mean_bgr, dtype=torch.float32)
        self._scale = float(checkpoint.scale)
        self._device = torch.device("cpu")
        with torch.device("meta"):
            network = build_network(checkpoint.arch)
        network.load_state_dict(checkpoint.weights, assign=True)
        network = for_painting(network).eval().requires_grad_(False)
        self._network = network.to(memory_format=torch.channels_last)

    def move_to(self, device: torch.device) -> "StyleModel":
        """Lets the model paint on `device` from now on; returns itself.

        On a GPU convolutions run in half precision with sums in single precision, everything else
        in single precision.
        """
        self._device = device
        self._network.to(device)
        self._mean_bgr = self._mean_bgr.to(device)
        if device.type == "cuda":
            torch.backends.cudnn.deterministic = True
        return self

    def paint(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Paint frames, (H, W, 3) uint8 RGB each, into new ones of the same shape and type.

        The network's output is clipped to 0..255 and rounded to nearest. Frames are painted one by
        one: memory does not grow with the list, and bytes do not depend on its length.
        """
        return [self.begin([image], 1).images()[0] for image in images]

    def begin(self, images: Sequence[np.ndarray], batch_size: int) -> PendingFrames:
        """Begins to paint 1 to `batch_size` frames of one size, as `paint`, in one go.

        On a GPU this returns before they are painted. A short batch is filled up with its last
        frame: a device may round in another way in a batch of another size, and how many frames
        are at hand is a matter of time. Raises InputError if the GPU's memory does not suffice.
        """
        for image in images:
            _check(image)
        height, width = images[0].shape[:2]
        rows, columns = _margins(height, self._multiple), _margins(width, self._multiple)
        batch = np.stack([*images, *[images[-1]] * (batch_size - len(images))])
        pixels = torch.from_numpy(np.pad(batch, ((0, 0), rows, columns, (0, 0)), mode="symmetric"))
        try:
            with torch.inference_mode(), self._current():
                if self._device.type == "cuda":
                    pixels = pixels.pin_memory().to(self._device, non_blocking=True)
                levels, finite = self._paint_pixels(pixels)
                levels = levels[:, rows[0] : rows[0] + height, columns[0] : columns[0] + width]
                return self._pending(levels, finite, len(images))
        except torch.cuda.OutOfMemoryError as error:
            raise InputError(
                f"{batch_size} frames of {width}x{height} do not fit into the memory of "
                f"{torch.cuda.get_device_name(self._device)}: use fewer ranks a GPU, a smaller "
                "--size, or --device cpu."
            ) from error

    def _current(self) -> AbstractContextManager[None]:
        """Makes a GPU the current one of this thread: events are recorded on that."""
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()

    def _paint_pixels(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, H, W, 3) uint8 RGB to the same painted, and whether all numbers are finite."""
        # (N, H, W, 3) seen as (N, 3, H, W) is the channels-last layout.
        features = (pixels.flip(3).float() - self._mean_bgr).permute(0, 3, 1, 2)
        half = self._device.type == "cuda"
        with torch.autocast(self._device.type, dtype=torch.float16, enabled=half):
            output = self._network(features)
        painted = output.float().permute(0, 2, 3, 1)
        levels = (painted * self._scale + self._mean_bgr).round_().clamp_(0, 255)
        # The last layer is a tanh: what is not finite is NaN, and so would be the sum.
        return levels.to(torch.uint8).flip(3), painted.sum().isfinite()

    def _pending(self, levels: torch.Tensor, finite: torch.Tensor, count: int) -> PendingFrames:
        if self._device.type != "cuda":
            return PendingFrames(levels, finite, count)
        host_levels = torch.empty(levels.shape, dtype=levels.dtype, pin_memory=True)
        host_finite = torch.empty((), dtype=torch.bool, pin_memory=True)
        host_levels.copy_(levels, non_blocking=True)
        host_finite.copy_(finite, non_blocking=True)
        done = torch.cuda.Event(blocking=True)  # sleeps instead of spinning on a core
        done.record()
        return PendingFrames(host_levels, host_finite, count, done)

    def warm_up(self, height: int, width: int) -> None:
        """Paint one grey frame, so that the first real one does not pay for torch's start-up."""
        self.paint([np.full((height, width, 3), 128, np.uint8)])

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes `paint` allocates at its peak for a frame of that size (estimate)."""
        top, bottom = _margins(height, self._multiple)
        left, right = _margins(width, self._multiple)
        pixels = (height + top + bottom) * (width + left + right)
        return int(pixels * _bytes_per_pixel(self._layers) * MEMORY_FACTOR)


def load_frame_model(data: bytes, name: str) -> StyleModel:
    """The style model in the bytes of a checkpoint file; raises InputError as `read_checkpoint`."""
    return StyleModel(read_checkpoint(data, name), name, hashlib.sha256(data).hexdigest())


def _check(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"a frame must be (H, W, 3) uint8, got {image.shape} {image.dtype}")


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
