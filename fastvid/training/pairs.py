"""Pairs of frames with exactly known motion, made from single photographs.

The first frame is a crop of the photograph, on which another photograph may lie as a cut-out with a
wavy outline. In the second frame both have moved: shifted, zoomed, turned, bent, each in its own
way. Where the same surface is seen in both, the second frame is the first one sampled at
x + flow(x) (bilinear), exactly; then exposure, noise and compression are added to each. Images are
(H, W, 3) float32 BGR 0..255, flow is backward, (H, W, 2) float32 pixels (dx, dy).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.training.compression import random_compression

# Ranges of the motion between neighbouring frames of ordinary films. A third of the pairs move as
# if several frames lay between them: a painting must not change over eight frames either.
FAR_SHARE = 1 / 3
FAR_TIMES = 4.0
MAX_SHIFT_PX = 12.0
MAX_ZOOM = 0.04
MAX_TURN_DEGREES = 3.0
MAX_BEND_PX = 3.0
BEND_GRID = 5
LAYER_SHARE = 0.6
STILL_SHARE = 0.15
MAX_NOISE_LEVELS = 5.0
MAX_EXPOSURE = 0.06
# Dark scenes are rare in photographs and common in films.
DARK_SHARE = 0.15
DARKEST = 0.15


@dataclass(frozen=True)
class FramePair:
    """Two frames, the flow from the second back to the first, and where it holds (bool).

    `content` is the second frame without noise and compression: what its painting should show.
    """

    first: np.ndarray
    second: np.ndarray
    backward_flow: np.ndarray
    visible: np.ndarray
    content: np.ndarray


def make_pair(
    photo: np.ndarray, other: np.ndarray, size: int, random: np.random.Generator
) -> FramePair:
    """A pair of `size` x `size` frames from two photographs, at least that large, uint8 BGR."""
    pair = moving_pair(photo, other, size, random)
    light = random_light(random)
    content = pair.second * (light * (1 + random.uniform(-MAX_EXPOSURE, MAX_EXPOSURE)))
    sigma = random.uniform(0, MAX_NOISE_LEVELS)
    first = with_noise(pair.first * light, sigma, random)
    second = with_noise(content, sigma, random)
    compression = random_compression(random)
    if compression is not None:
        first, second = compression.applied(first), compression.applied(second)
    return FramePair(first, second, pair.backward_flow, pair.visible, content.clip(0, 255))


def make_single(
    photo: np.ndarray, size: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A frame with noise and compression, and without: for steps that train without pairs."""
    content = crop(photo, size, random).astype(np.float32) * random_light(random)
    noisy = with_noise(content, random.uniform(0, MAX_NOISE_LEVELS), random)
    compression = random_compression(random)
    return noisy if compression is None else compression.applied(noisy), content


def moving_pair(
    photo: np.ndarray, other: np.ndarray, size: int, random: np.random.Generator
) -> FramePair:
    """A pair as above before exposure and noise, so that the flow is exact to float rounding."""
    background = crop(photo, size, random).astype(np.float32)
    flow = random_motion(size, random)
    moved = sample(background, flow)
    inside = within(flow)
    if random.random() >= LAYER_SHARE:
        return FramePair(background, moved, flow, inside, moved)
    layer = crop(other, size, random).astype(np.float32)
    mask = wavy_mask(size, random)
    layer_flow = random_motion(size, random)
    moved_mask = sample(mask, layer_flow)
    on_top = moved_mask[..., None] >= 0.5
    second = np.where(on_top, sample(layer, layer_flow), moved)
    first = np.where(mask[..., None] >= 0.5, layer, background)
    both = np.where(on_top, layer_flow, flow)
    same = np.where(on_top[..., 0], *same_surface(mask, flow, layer_flow))
    return FramePair(first, second, both, same & within(both), second)


def random_motion(size: int, random: np.random.Generator) -> np.ndarray:
    """A flow field: shift, zoom and turn about the middle, and a smooth bend; some of it far."""
    if random.random() < STILL_SHARE:
        return np.zeros((size, size, 2), np.float32)
    times = FAR_TIMES if random.random() < FAR_SHARE else 1.0
    matrix = random_affine(random, times)
    grid = np.arange(size, dtype=np.float32) - (size - 1) / 2
    x, y = np.meshgrid(grid, grid)
    (cosine, _, dx), (sine, _, dy) = matrix
    flow = np.stack([cosine * x - sine * y - x, sine * x + cosine * y - y], -1)
    flow += np.array([dx, dy])
    bend = times * random.uniform(-MAX_BEND_PX, MAX_BEND_PX, (BEND_GRID, BEND_GRID, 2))
    flow += cv2.resize(bend.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return flow.astype(np.float32)


def random_affine(random: np.random.Generator, times: float = 1.0) -> np.ndarray:
    """Shift, zoom and turn about the origin: (2, 3) float64, (x, y, 1) to a position in pixels.

    times: how many times as far as the ranges of neighbouring frames.
    """
    # Squares of uniform numbers: slow motion is more common than fast motion.
    shift = random.uniform(-1, 1, 2)
    dx, dy = times * MAX_SHIFT_PX * shift * np.abs(shift)
    zoom = 1 + times * random.uniform(-MAX_ZOOM, MAX_ZOOM)
    turn = times * np.deg2rad(random.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES))
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    return np.array([[cosine, -sine, dx], [sine, cosine, dy]])


def wavy_mask(size: int, random: np.random.Generator) -> np.ndarray:
    """A closed shape with a wavy outline somewhere in the frame: (H, W) float32, 0 or 1."""
    middle = random.uniform(0.2, 0.8, 2) * size
    x, y = np.meshgrid(np.arange(size) - middle[0], np.arange(size) - middle[1])
    angle = np.arctan2(y, x)
    radius = random.uniform(0.15, 0.35) * size
    for wave in range(2, 6):
        radius = radius + random.uniform(-0.04, 0.04) * size * np.cos(
            wave * angle + random.uniform(0, 2 * np.pi)
        )
    return np.asarray(np.hypot(x, y) < radius, np.float32)


def sample(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The image at x + flow(x), bilinear, mirrored beyond the border."""
    size = flow.shape[0]
    grid = np.arange(size, dtype=np.float32)
    # Float64 weights: OpenCV's remap rounds positions to 1/32 of a pixel, too coarse to be exact.
    x = np.abs(grid + flow[..., 0])
    y = np.abs(grid[:, None] + flow[..., 1])
    last = size - 1
    x, y = last - np.abs(last - x), last - np.abs(last - y)
    left, top = x.astype(np.intp).clip(0, last - 1), y.astype(np.intp).clip(0, last - 1)
    shape = (size, size) + (1,) * (image.ndim - 2)
    right_share, lower_share = (x - left).reshape(shape), (y - top).reshape(shape)
    upper = image[top, left] * (1 - right_share) + image[top, left + 1] * right_share
    lower = image[top + 1, left] * (1 - right_share) + image[top + 1, left + 1] * right_share
    return np.asarray(upper * (1 - lower_share) + lower * lower_share, np.float32)


def within(flow: np.ndarray) -> np.ndarray:
    """Where x + flow(x) lies in the frame: (H, W) bool."""
    size = flow.shape[0]
    grid = np.arange(size, dtype=np.float32)
    x, y = grid + flow[..., 0], grid[:, None] + flow[..., 1]
    return np.asarray((x >= 0) & (x <= size - 1) & (y >= 0) & (y <= size - 1))


def crop(photo: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """A `size` x `size` part of the photograph, shrunk by a random factor, mirrored half the time.

    Raises ValueError if the photograph is smaller.
    """
    height, width = photo.shape[:2]
    side = min(height, width)
    if side < size:
        raise ValueError(f"the photograph is {width}x{height}, at least {size}x{size} are needed")
    taken = int(random.integers(size, side + 1))
    top, left = random.integers(0, height - taken + 1), random.integers(0, width - taken + 1)
    part = photo[top : top + taken, left : left + taken]
    if taken != size:
        part = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
    return part[:, ::-1] if random.random() < 0.5 else part


def random_light(random: np.random.Generator) -> np.float32:
    """How bright a scene is, 0..1: mostly as it was photographed."""
    return np.float32(random.uniform(DARKEST, 1) if random.random() < DARK_SHARE else 1)


def with_noise(image: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """The image with Gaussian noise of `sigma` levels, clipped to 0..255."""
    noise = random.standard_normal(image.shape, np.float32) * np.float32(sigma)
    noisy: np.ndarray = np.clip(image + noise, 0, 255)
    return noisy


def same_surface(
    mask: np.ndarray, flow: np.ndarray, layer_flow: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the cut-out (and where the background) was also seen in the first frame.

    A position between pixels is safe if all four neighbours belong to the surface.
    """
    return sample(mask, layer_flow) >= 1 - 1e-6, sample(mask, flow) <= 1e-6
