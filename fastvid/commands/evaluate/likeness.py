"""How much of a painting and how much of a film is in a picture: style, content, texture, colour.

All pictures are (H, W, 3) uint8 BGR. The painting is first resized so that its height is the
picture's: strokes are as large in the picture as they are in a painting of that height.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from fastvid.style.lossnet import LossNetwork

STYLE_LAYERS = ("relu2_1", "relu3_1", "relu4_1")
CONTENT_LAYER = "relu4_1"
# Random filters whose responses stand for the distribution of small patches, and at how many
# random places they are compared; the picture is compared at several scales, shrunk by area.
FILTERS = 256
FILTER_PX = 7
PLACES = 20_000
SCALES = (1, 2, 4, 8)
_SEED = 0
_EPSILON = 1e-12


@dataclass(frozen=True)
class Likeness:
    """The figures of one picture.

    style_error: difference of the Gram matrices of VGG's features relative to the painting's; 0
        for the painting itself, about 1 for a grey picture; less is better.
    content_kept: correlation of VGG's features of picture and photograph; at most 1.
    texture: distance of the responses of filters without mean, in levels, at each of SCALES; less
        is better.
    colour: the same of filters with their means.
    """

    style_error: float
    content_kept: float
    texture: tuple[float, ...]
    colour: tuple[float, ...]


def likeness(
    network: LossNetwork, photo: np.ndarray, picture: np.ndarray, painting: np.ndarray
) -> Likeness:
    """The figures of a picture that was painted of a photograph of its size, after a painting.

    network: VGG-19 with maxima. Raises ValueError if photograph and picture differ in size.
    """
    if photo.shape != picture.shape:
        raise ValueError(f"photograph {photo.shape} and picture {picture.shape} differ in size")
    painting = resized_to_height(painting, picture.shape[0])
    with torch.no_grad():
        of_photo, of_picture, of_painting = (
            network(_tensor(image)) for image in (photo, picture, painting)
        )
    errors = [gram_error(of_picture[layer], of_painting[layer]) for layer in STYLE_LAYERS]
    return Likeness(
        style_error=float(np.mean(errors)),
        content_kept=correlation(of_photo[CONTENT_LAYER], of_picture[CONTENT_LAYER]),
        texture=patch_distances(picture, painting, with_means=False),
        colour=patch_distances(picture, painting, with_means=True),
    )


def mean_likeness(figures: Sequence[Likeness]) -> Likeness:
    """The mean of the figures of several pictures, at least one."""

    def mean(values: Iterable[float]) -> float:
        return float(np.mean(list(values)))

    return Likeness(
        mean(one.style_error for one in figures),
        mean(one.content_kept for one in figures),
        tuple(map(mean, zip(*(one.texture for one in figures), strict=True))),
        tuple(map(mean, zip(*(one.colour for one in figures), strict=True))),
    )


def format_likeness(found: Likeness) -> str:
    """The figures as lines of plain text, without a line break at the end."""
    scales = "  ".join(f"{value:.2f}" for value in found.texture)
    rows = (
        ("style error", f"{found.style_error:.3f}"),
        ("content kept", f"{found.content_kept:.2f}"),
        ("texture distance, levels", f"{np.mean(found.texture):.2f}  ({scales})"),
        ("colour distance, levels", f"{found.colour[0]:.2f}"),
    )
    return "\n".join(f"{label:<28}{value}" for label, value in rows)


def resized_to_height(image: np.ndarray, height: int) -> np.ndarray:
    """An image brought to a height, its aspect kept: by area if it shrinks, cubic if it grows."""
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    if image.shape[:2] == (height, width):
        return image
    smaller = height < image.shape[0]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    resized: np.ndarray = cv2.resize(image, (width, height), interpolation=interpolation)
    return resized


def gram_error(features: torch.Tensor, wanted: torch.Tensor) -> float:
    """|G - T|^2 / |T|^2 of two feature maps (1, C, h, w): means of products of channels."""
    found, target = _gram(features), _gram(wanted)
    return float((found - target).square().sum() / target.square().sum())


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean product of two feature maps, each channel brought to mean 0 and variance 1 before."""
    return float((_standardised(one) * _standardised(other)).mean())


def patch_distances(
    picture: np.ndarray, painting: np.ndarray, *, with_means: bool
) -> tuple[float, ...]:
    """Mean absolute difference of the sorted responses of random filters, in levels, at each scale.

    with_means: whether filters see the mean of each colour, or structure alone.
    """
    distances = []
    for scale in SCALES:
        filters = _filters(with_means)
        generator = np.random.default_rng([_SEED, scale])
        found, wanted = (
            _responses(_shrunk(image, scale), filters, generator) for image in (picture, painting)
        )
        distances.append(float(np.abs(found - wanted).mean()))
    return tuple(distances)


def _filters(with_means: bool) -> np.ndarray:
    """(FILTERS, 3 FILTER_PX^2) of unit norm."""
    shape = (FILTERS, 3, FILTER_PX, FILTER_PX)
    filters = np.random.default_rng(_SEED).standard_normal(shape).astype(np.float32)
    if not with_means:
        filters -= filters.mean((2, 3), keepdims=True)
    flat = filters.reshape(FILTERS, -1)
    unit: np.ndarray = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return unit


def _responses(
    image: np.ndarray, filters: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Sorted responses at random places, (FILTERS, PLACES) float32."""
    patches = np.lib.stride_tricks.sliding_window_view(image, (FILTER_PX, FILTER_PX), axis=(0, 1))
    rows = generator.integers(patches.shape[0], size=PLACES)
    columns = generator.integers(patches.shape[1], size=PLACES)
    taken = patches[rows, columns].reshape(PLACES, -1).astype(np.float32)
    return np.sort(filters @ taken.T, axis=1)


def _shrunk(image: np.ndarray, scale: int) -> np.ndarray:
    """An image shrunk by area, never below the size of a filter."""
    if scale == 1:
        return image
    size = [max(FILTER_PX, round(side / scale)) for side in image.shape[1::-1]]
    small: np.ndarray = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small


def _gram(features: torch.Tensor) -> torch.Tensor:
    flat = features[0].flatten(1).double()
    return flat @ flat.t() / flat.shape[1]


def _standardised(features: torch.Tensor) -> torch.Tensor:
    flat = features[0].flatten(1).double()
    centred = flat - flat.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + _EPSILON).sqrt()


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
