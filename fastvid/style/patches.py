"""Sliced Wasserstein distance of pixel patches: colours and the finest strokes, without a network.

Gram matrices of features say little of colour, contrast and what is finer than a few pixels. The
distribution of small patches of raw pixels does: seen along a random direction it is a list of
numbers, and the distance of two lists is that of their sorted values (Rabin, Peyre, Delon, Bernot
2012; of patches: Elnekave, Weiss 2022). Images are BGR 0..255.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

PATCH = 7
# How many times smaller the pictures are, by means over squares, in which patches are compared.
SCALES = (1, 2, 4, 8)
# Every second direction is blind to a patch's mean: projections are mostly colour otherwise, and
# contrast and texture count for little.
DIRECTIONS = 16
PLACES = 6000
# Of a painting so many patches are kept at each scale, 7 MB; each comparison takes PLACES of them.
KEPT = 12000
LEVELS = 255.0


@dataclass(frozen=True)
class PatchTarget:
    """Patches of a painting from random places, in random order: at each scale (count, 3 PATCH^2).

    float32 BGR 0..255, flattened from (3, PATCH, PATCH). A small painting has none at the last
    scales.
    """

    patches: tuple[torch.Tensor, ...]


def patch_target(painting: torch.Tensor) -> PatchTarget:
    """What patches are compared with, of a painting (1, 3, H, W). Equal for equal paintings."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for scale in _scales_within(painting):
        patches = F.unfold(_shrunk(painting.float(), scale), PATCH)[0].t()
        order = torch.randperm(len(patches), generator=generator)[:KEPT]
        found.append(patches[order.to(patches.device)].contiguous())
    return PatchTarget(tuple(found))


def patch_loss(
    images: torch.Tensor, target: PatchTarget, generator: torch.Generator
) -> torch.Tensor:
    """Mean absolute difference of sorted projections of patches, 0..1, summed over the scales.

    images: (N, 3, H, W); each is compared on its own. The directions, and the places in pictures
    and painting, are drawn anew from `generator`, a CPU one.
    """
    total = torch.zeros((), device=images.device)
    for scale, kept in zip(_scales_within(images), target.patches, strict=False):
        directions = random_directions(generator).to(images.device)
        responses = F.conv2d(_shrunk(images.float(), scale), directions).flatten(2)
        count = min(PLACES, responses.shape[2], len(kept))
        places = torch.randint(responses.shape[2], (count,), generator=generator)
        start = int(torch.randint(len(kept) - count + 1, (1,), generator=generator))
        wanted = kept[start : start + count] @ directions.flatten(1).t()
        found = in_order(responses[:, :, places.to(images.device)])
        total = total + (found - in_order(wanted.t())).abs().mean() / LEVELS
    return total


def random_directions(generator: torch.Generator) -> torch.Tensor:
    """DIRECTIONS unit vectors in the space of patches, (DIRECTIONS, 3, PATCH, PATCH).

    The odd ones have a mean of zero in each colour.
    """
    directions = torch.randn(DIRECTIONS, 3, PATCH, PATCH, generator=generator)
    directions[1::2] -= directions[1::2].mean((2, 3), keepdim=True)
    norms: torch.Tensor = directions.flatten(1).norm(dim=1)
    return directions / norms.reshape(-1, 1, 1, 1)


def in_order(values: torch.Tensor) -> torch.Tensor:
    """Values sorted along the last axis. numpy sorts six times faster than torch on a processor."""
    if values.device.type != "cpu":
        ordered: torch.Tensor = values.sort(dim=-1).values
        return ordered
    if not values.requires_grad:
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))
    order = np.argsort(values.detach().numpy(), axis=-1)
    return values.gather(-1, torch.from_numpy(order))


def _scales_within(images: torch.Tensor) -> tuple[int, ...]:
    """Those of SCALES at which a picture still holds a patch."""
    return tuple(scale for scale in SCALES if min(images.shape[-2:]) // scale >= PATCH)


def _shrunk(images: torch.Tensor, scale: int) -> torch.Tensor:
    return F.avg_pool2d(images, scale) if scale > 1 else images
