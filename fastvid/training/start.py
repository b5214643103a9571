"""What a training begins with that does not begin with random numbers: `--from`."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fastvid.errors import InputError
from fastvid.style.checkpoint import MEAN_BGR, SCALE, read_checkpoint
from fastvid.style.loading import read_style
from fastvid.style.mixing import check_same_network
from fastvid.style.variant import Variant


@dataclass(frozen=True)
class Start:
    """Styles of one network: the weights of the plain network of each painting's first style.

    hashes: of their files.
    """

    arch: str
    variant: Variant
    weights: tuple[dict[str, torch.Tensor], ...]
    hashes: tuple[str, ...]


def read_start(names: Sequence[str], paintings: int) -> Start:
    """The styles of these names or paths, one for all paintings or one for each.

    Raises InputError if one can't be read, or if they are not styles of one network.
    """
    if len(names) not in (1, paintings):
        raise InputError(
            f"--from: {len(names)} styles for {paintings} paintings; give one, or one for each"
        )
    files = [read_style(name) for name in names]
    checkpoints = [
        read_checkpoint(file.data, name) for file, name in zip(files, names, strict=True)
    ]
    for checkpoint, name in zip(checkpoints, names, strict=True):
        if (checkpoint.mean_bgr, checkpoint.scale) != (MEAN_BGR, SCALE):
            raise InputError(f"--from {name}: no network of `fastvid train` (other colour levels)")
    check_same_network(checkpoints, names)
    times = paintings if len(names) == 1 else 1
    return Start(
        arch=checkpoints[0].arch,
        variant=checkpoints[0].variant,
        weights=tuple(checkpoint.weights for checkpoint in checkpoints) * times,
        hashes=tuple(file.sha256 for file in files),
    )
