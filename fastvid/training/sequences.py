"""Sequences of frames with known motion, made from single photographs: for recurrent models.

A background moves by the same shift, zoom and turn from each frame to the next, and on it, mostly,
a cut-out of another photograph by its own. Every frame is sampled once from the photographs, so
that none is softer than the one before. Images are (H, W, 3) float32 BGR 0..255, flows are
backward, (H, W, 2) float32 pixels (dx, dy). The simulated camera on photographs is that of Ruder,
Dosovitskiy, Brox (IJCV 126, 2018), who shift and zoom; turns and cut-outs are added here.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from fastvid.training.pairs import (
    LAYER_SHARE,
    MAX_EXPOSURE,
    MAX_NOISE_LEVELS,
    STILL_SHARE,
    crop,
    random_affine,
    random_light,
    same_surface,
    wavy_mask,
    with_noise,
    within,
)

# The part of a photograph that frames are cut from is so much larger, for a camera that moves on.
CANVAS_SCALE = 1.25


@dataclass(frozen=True)
class FrameSequence:
    """Neighbouring frames of one shot.

    backward_flows[k] and visible[k], (H, W) bool, lead from frame k + 1 back to frame k. `content`
    is the last frame without its noise.
    """

    frames: tuple[np.ndarray, ...]
    backward_flows: tuple[np.ndarray, ...]
    visible: tuple[np.ndarray, ...]
    content: np.ndarray


@dataclass(frozen=True)
class _Surface:
    """A picture and how it moves: matrix (3, 3) takes a pixel to its place in the frame before.

    Coordinates are pixels from the middle, in the picture as in the frames.
    """

    picture: np.ndarray
    matrix: np.ndarray

    def positions(self, number: int, size: int) -> np.ndarray:
        """Where frame `number` sees the picture: (size, size, 2) float64."""
        matrix = np.linalg.matrix_power(self.matrix, number)[:2]
        grid = np.arange(size) - (size - 1) / 2
        x, y = np.meshgrid(grid, grid)
        return np.stack([row[0] * x + row[1] * y + row[2] for row in matrix], -1)

    def seen(self, number: int, size: int) -> np.ndarray:
        """The frame `number` if there were nothing else, mirrored beyond the picture."""
        return _sampled(self.picture, self.positions(number, size), cv2.BORDER_REFLECT_101)

    def flow(self, size: int) -> np.ndarray:
        """The backward flow, the same for all frames."""
        return np.asarray(self.positions(1, size) - self.positions(0, size), np.float32)


def make_sequence(
    photo: np.ndarray, other: np.ndarray, size: int, length: int, random: np.random.Generator
) -> FrameSequence:
    """`length` frames of `size` x `size` from two photographs, at least that large, uint8 BGR.

    Each frame has its own noise, and all but the first an exposure of their own.
    """
    clean = moving_sequence(photo, other, size, length, random)
    light, sigma = random_light(random), random.uniform(0, MAX_NOISE_LEVELS)
    exposures = [1.0, *(1 + random.uniform(-MAX_EXPOSURE, MAX_EXPOSURE, length - 1))]
    lit = [
        frame * np.float32(light * exposure)
        for frame, exposure in zip(clean.frames, exposures, strict=True)
    ]
    frames = tuple(with_noise(frame, sigma, random) for frame in lit)
    return FrameSequence(frames, clean.backward_flows, clean.visible, lit[-1].clip(0, 255))


def moving_sequence(
    photo: np.ndarray,
    other: np.ndarray,
    size: int,
    length: int,
    random: np.random.Generator,
    layer_share: float = LAYER_SHARE,
    still_share: float = STILL_SHARE,
) -> FrameSequence:
    """A sequence as above before exposure and noise.

    layer_share: how often there is a cut-out; still_share: how often a picture stands still.
    """
    background = _random_surface(photo, size, random, still_share)
    frames = [background.seen(number, size) for number in range(length)]
    flow = background.flow(size)
    if random.random() >= layer_share:
        steps = length - 1
        return FrameSequence(tuple(frames), (flow,) * steps, (within(flow),) * steps, frames[-1])
    layer = _random_surface(other, size, random, still_share)
    layer_flow = layer.flow(size)
    outline = wavy_mask(size, random)
    masks = [
        _sampled(outline, layer.positions(number, size), cv2.BORDER_CONSTANT) >= 0.5
        for number in range(length)
    ]
    frames = [
        np.where(mask[..., None], layer.seen(number, size), frame)
        for number, (mask, frame) in enumerate(zip(masks, frames, strict=True))
    ]
    flows, visible = [], []
    for before, mask in pairwise(masks):
        flows.append(np.where(mask[..., None], layer_flow, flow))
        same = np.where(mask, *same_surface(before.astype(np.float32), flow, layer_flow))
        visible.append(same & within(flows[-1]))
    return FrameSequence(tuple(frames), tuple(flows), tuple(visible), frames[-1])


def _random_surface(
    photo: np.ndarray, size: int, random: np.random.Generator, still_share: float
) -> _Surface:
    side = min(int(size * CANVAS_SCALE), *photo.shape[:2])
    # An even difference, so that the first frame is sampled at whole pixels.
    canvas = max(size, side - (side - size) % 2)
    picture = crop(photo, canvas, random).astype(np.float32)
    matrix = np.eye(3)
    if random.random() >= still_share:
        matrix[:2] = random_affine(random)
    return _Surface(picture, matrix)


def _sampled(image: np.ndarray, positions: np.ndarray, border: int) -> np.ndarray:
    """A square image at positions from its middle, bilinear."""
    middle = (image.shape[0] - 1) / 2
    places = (positions + middle).astype(np.float32)
    sampled: np.ndarray = cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=border)
    return sampled
