"""From masks to weights: the share that each region has of a pixel, in 255ths."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from fastvid.regions.guided import guided_filter
from fastvid.regions.settings import RegionSettings

ALL = 255


def region_weights(
    image: np.ndarray, masks: Sequence[np.ndarray], regions: Sequence[RegionSettings]
) -> list[np.ndarray]:
    """The weights of the regions of a frame, (H, W) uint8 each; together at most 255 at any pixel.

    image: (H, W, 3) uint8 RGB; masks: (H, W) uint8 each. A later region lies over an earlier one,
    which gets what the later ones leave: where the soft edges of two neighbours meet, nothing of
    the ground shows between them.
    """
    left = np.full(image.shape[:2], ALL, np.uint8)
    weights = []
    for mask, region in reversed(list(zip(masks, regions, strict=True))):
        weight = np.minimum(prepared(image, mask, region), left)
        left -= weight
        weights.append(weight)
    return weights[::-1]


def ground_weight(weights: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """What the regions leave to the rest of the picture, (H, W) uint8."""
    left = np.full(shape, ALL, np.uint8)
    for weight in weights:
        left -= weight
    return left


def prepared(image: np.ndarray, mask: np.ndarray, region: RegionSettings) -> np.ndarray:
    """A mask with its edge refined, moved and softened as the region says, (H, W) uint8."""
    if region.refine:
        mask = guided_filter(image, mask)
    if region.grow:
        mask = grown(mask, region.grow)
    return feathered(mask, region.feather)


def grown(mask: np.ndarray, pixels: float) -> np.ndarray:
    """A mask that reaches `pixels` further, or less far if they are negative."""
    radius = round(abs(pixels))
    if radius == 0:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    moved: np.ndarray = (cv2.dilate if pixels > 0 else cv2.erode)(mask, disc)
    return moved


def feathered(mask: np.ndarray, pixels: float) -> np.ndarray:
    """A mask whose edge is soft over `pixels` to either side.

    A Gaussian that ends there, in whole numbers: two masks that add up to 255 still do.
    """
    reach = math.ceil(pixels)
    if reach == 0:
        return mask
    side = 2 * reach + 1
    soft: np.ndarray = cv2.GaussianBlur(
        mask, (side, side), pixels / 2, borderType=cv2.BORDER_REPLICATE
    )
    return soft
