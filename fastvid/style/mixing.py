"""Styles of one network: what tells them apart, and mixtures of them.

Styles that were trained together share all convolutions; each has its own scales and shifts behind
them (conditional instance normalisation; Dumoulin, Shlens, Kudlur 2017). A weighted mean of these
numbers paints between the styles (section 3.3 there).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from fastvid.errors import InputError
from fastvid.style.checkpoint import Checkpoint

PARTS, SHARE = "+", ":"
MAX_PARTS = 16


@dataclass(frozen=True)
class Part:
    """A style, by name or path, and how much of it there is, more than 0."""

    style: str
    share: float


def is_mixture(text: str) -> bool:
    """Whether a text names a mixture such as `wave:0.3+starry_night:0.7`, and not one style.

    A mixture has at least two parts, each of which ends with its share.
    """
    parts = text.split(PARTS)
    return len(parts) > 1 and all(_is_number(part.rpartition(SHARE)[2]) for part in parts)


def parse_mixture(text: str) -> tuple[Part, ...]:
    """The parts of a mixture; shares are divided by their sum.

    A style may be named twice; a part of no share is left out. Raises InputError for a share that
    is not a number from 0 on, or if all are 0.
    """
    pieces = text.split(PARTS)
    if len(pieces) > MAX_PARTS:
        raise InputError(f"a mixture of {len(pieces)} styles, at most {MAX_PARTS}: '{text[:80]}'")
    parts = []
    for piece in pieces:
        style, _, share = piece.rpartition(SHARE)
        if not style or not _is_number(share) or float(share) < 0:
            raise InputError(
                f"mixture '{text[:80]}': '{piece[:40]}' must be a style and its share, such as "
                "wave:0.3"
            )
        parts.append(Part(style, float(share)))
    total = sum(part.share for part in parts)
    if not total > 0:
        raise InputError(f"mixture '{text[:80]}': all shares are 0")
    return tuple(Part(part.style, part.share / total) for part in parts if part.share > 0)


def norm_keys(weights: Mapping[str, torch.Tensor]) -> frozenset[str]:
    """The keys of the scales and shifts of a plain network's norms: what tells styles apart."""
    return frozenset(
        key for key in weights if weights[f"{key.rpartition('.')[0]}.weight"].ndim == 1
    )


def check_same_network(checkpoints: Sequence[Checkpoint], names: Sequence[str]) -> None:
    """Raise InputError unless all styles are of one network: equal in all but their norms."""
    first = checkpoints[0]
    norms = norm_keys(first.weights)
    for checkpoint, name in zip(checkpoints[1:], names[1:], strict=True):
        forms = (
            (style.arch, style.variant, style.mean_bgr, style.scale)
            for style in (first, checkpoint)
        )
        same = len(set(forms)) == 1 and all(
            torch.equal(weight, checkpoint.weights[key])
            for key, weight in first.weights.items()
            if key not in norms
        )
        if not same:
            raise InputError(
                f"{names[0]} and {name} can't be mixed: they are styles of two networks. Styles "
                "that were trained together, or with --from one of them, have one network"
            )


def mixed(checkpoints: Sequence[Checkpoint], shares: Sequence[float]) -> Checkpoint:
    """The style between styles of one network; shares: positive, their sum is 1.

    A single style comes back as it is, to the bit.
    """
    first = checkpoints[0]
    if len(checkpoints) == 1:
        return first
    weights = dict(first.weights)
    for key in norm_keys(first.weights):
        rows = [
            share * style.weights[key].double()
            for style, share in zip(checkpoints, shares, strict=True)
        ]
        weights[key] = torch.stack(rows).sum(0).float()
    return replace(first, weights=weights)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
