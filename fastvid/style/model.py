"""A style model: paints frames of any size, with the same bytes every time."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

import cv2
import numpy as np
import torch

from fastvid.errors import InputError
from fastvid.style.area_norm import AreaWeights, with_area_norms
from fastvid.style.checkpoint import Checkpoint
from fastvid.style.half import in_half_precision
from fastvid.style.layers import channels_last
from fastvid.style.margins import BORDER, Margins, margins_of
from fastvid.style.network import Layer, build_network, downsampling, for_painting, reach
from fastvid.style.precision import FAST, FULL
from fastvid.style.scale import MIN_SIDE
from fastvid.style.variant import Variant

__all__ = ["BORDER", "MIN_SIDE", "PendingFrames", "StyleModel", "set_threads"]

# Peak of the process over its state before, per byte that `_bytes_per_pixel` counts: 0.73 to 1.22
# between 640x360 and 1920x1080, with 1 and 2 threads; 1.13 to 1.20 with the layers of Fast Artistic
# Videos. The rest is reserve.
MEMORY_FACTOR = 1.4


def set_threads(count: int) -> None:
    """Lets torch and OpenCV compute with `count` threads in this process (count >= 1)."""
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


class PendingFrames:
    """Painted frames that a device may still be at work on.

    levels: (N, H, W, 3) uint8 RGB on the host. finite: whether all numbers were, a bool tensor.
    count: how many of the N frames were asked for. done: when both are complete; None: they are.
    """

    def __init__(
        self,
        levels: torch.Tensor,
        finite: torch.Tensor,
        count: int,
        done: "torch.cuda.Event | None" = None,
    ) -> None:
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
            raise InputError(
                "the style model's numbers overflow. On a GPU, which computes in half "
                "precision, try --device cpu; otherwise the style is broken."
            )
        return [frame.copy() for frame in self._levels[: self._count].numpy()]


class StyleModel:
    """A frame model: every frame is painted on its own, so frames can be painted on any rank.

    Same frame, same checkpoint, same number of threads, same kind of processor and device: same
    bytes, whatever was painted before. What the network sees beyond a frame's border is in
    fastvid.style.margins.
    """

    kind = "frame"

    def __init__(self, checkpoint: Checkpoint, name: str, sha256: str) -> None:
        self.name = name
        self.sha256 = sha256
        self.arch = checkpoint.arch
        self.variant = checkpoint.variant
        self._layers = checkpoint.layers
        self._mean_bgr = torch.tensor(checkpoint.mean_bgr, dtype=torch.float32)
        self._scale = float(checkpoint.scale)
        self._device = torch.device("cpu")
        self._fast = False
        with torch.device("meta"):
            network = build_network(checkpoint.arch, variant=self.variant)
        network.load_state_dict(checkpoint.weights, assign=True)
        network = for_painting(network, self.variant.borders).eval().requires_grad_(False)
        self._network = channels_last(network)

    def move_to(self, device: torch.device, precision: str = FULL) -> "StyleModel":
        """Lets the model paint on `device` from now on; returns itself.

        precision: one of PRECISIONS, on a CPU; `fast` is bfloat16 (see `fastvid.style.half`). On a
        GPU convolutions run in half precision with sums in single precision, everything else in
        single precision.
        """
        if precision == FAST and device.type == "cpu" and not self._fast:
            self._network = in_half_precision(self._network)
            self._fast = True
        self._device = device
        self._network.to(device)
        self._mean_bgr = self._mean_bgr.to(device)
        if device.type == "cuda":
            torch.backends.cudnn.deterministic = True
        return self

    @property
    def reach(self) -> int:
        """How far from a pixel the network looks at the frame, in pixels, rounded up to a multiple
        of what one of its features covers."""
        multiple = downsampling(list(self._layers))
        return -(-reach(list(self._layers)) // multiple) * multiple

    def weighted(self, weights: np.ndarray) -> Self:
        """A model with the same parameters for pictures whose pixels do not count alike.

        weights: (H, W) float32, 0 or more: of the pixels of all pictures that it will be given.
        """
        margins = self._margins(*weights.shape)
        scales = sorted({1, *(layer.scale for layer in self._layers)})
        area = AreaWeights(np.pad(weights, (margins.rows, margins.columns)), scales, self._device)
        twin = copy.copy(self)
        twin._network = with_area_norms(self._network, area)
        return twin

    def paint(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Paints frames, (H, W, 3) uint8 RGB each, into new ones of the same shape and type.

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
            check_frame(image)
        margins = self._margins(*images[0].shape[:2])
        batch = np.stack([*images, *[images[-1]] * (batch_size - len(images))])
        with self._computing(batch_size, margins):
            pixels = self._upload(margins.add(batch))
            levels, finite = self._finish(self._network_input(pixels))
            return self._pending(margins.cut(levels), finite, len(images))

    def _margins(self, height: int, width: int) -> Margins:
        return margins_of(height, width, list(self._layers), self.variant)

    @contextmanager
    def _computing(self, count: int, margins: Margins) -> Iterator[None]:
        """Around work on the device; raises InputError if its memory does not suffice."""
        try:
            with torch.inference_mode(), self._current():
                yield
        except torch.cuda.OutOfMemoryError as error:
            raise InputError(
                f"{count} frames of {margins.width}x{margins.height} do not fit into the memory of "
                f"{torch.cuda.get_device_name(self._device)}: use fewer ranks a GPU, a smaller "
                "--size, or --device cpu."
            ) from error

    def _upload(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor

    def _current(self) -> AbstractContextManager[None]:
        """Makes a GPU the current one of this thread: events are recorded on that."""
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()

    def _network_input(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, H, W, 3) uint8 RGB to what the network takes of a frame on its own, (N, H, W, C)."""
        return self._centred(pixels)

    def _centred(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, H, W, 3) uint8 RGB to float32 in the network's order of colours, mean subtracted."""
        return self._reordered(pixels).float() - self._mean_bgr

    def _reordered(self, pixels: torch.Tensor) -> torch.Tensor:
        """RGB to the network's order of colours, or back."""
        return pixels.flip(3) if self.variant.order == "bgr" else pixels

    def _finish(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The network on (N, H, W, C) float32: (N, H, W, 3) uint8 RGB, whether all is finite."""
        # (N, H, W, C) seen as (N, C, H, W) is the channels-last layout.
        features = features.permute(0, 3, 1, 2)
        half = self._device.type == "cuda"
        with torch.autocast(self._device.type, dtype=torch.float16, enabled=half):
            output = self._network(features)
        painted = output.float().permute(0, 2, 3, 1)
        levels = (painted * self._scale + self._mean_bgr).round_().clamp_(0, 255)
        # Of one number that is not finite so is the sum.
        return self._reordered(levels.to(torch.uint8)), painted.sum().isfinite()

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
        """Paints one grey frame, so that the first real one does not pay for torch's start-up."""
        self.paint([np.full((height, width, 3), 128, np.uint8)])

    def memory_bytes(self, height: int, width: int) -> int:
        """How many bytes `paint` allocates at its peak for a frame of that size (estimate)."""
        pixels = self._margins(height, width).padded_pixels
        return int(pixels * _bytes_per_pixel(self._layers, self.variant) * MEMORY_FACTOR)


def check_frame(image: np.ndarray) -> None:
    """Raises ValueError unless an image is (H, W, 3) uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"a frame must be (H, W, 3) uint8, got {image.shape} {image.dtype}")


def _bytes_per_pixel(layers: tuple[Layer, ...], variant: Variant) -> float:
    """Bytes of the two largest neighbouring float32 feature maps, per pixel of the frame."""
    peak = 0.0
    scale = 1
    # Zeros are added inside the convolution; a reflected copy of the input lives at the side.
    copies = 1 if variant.convolution == "zero" else 2
    for layer in layers:
        if layer.kind == "U" and variant.convolution == "zero":
            continue  # merged with the convolution behind it
        read = 4 * layer.in_channels / scale**2
        written = 4 * layer.out_channels / layer.scale**2
        # So does the normalised copy of the output.
        peak = max(peak, copies * read + written, read + 2 * written)
        scale = layer.scale
    return peak
