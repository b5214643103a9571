"""From one style to another in many steps: how far each picture is from both paintings."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from fastvid.commands.evaluate.likeness import likeness
from fastvid.errors import InputError
from fastvid.style.loading import load_style
from fastvid.style.lossnet import LossNetwork
from harness.drift import find_painting

MORPH_FRAMES = 48


def style_distances(
    first: str, second: str, photo: np.ndarray, network: LossNetwork, paintings: Path
) -> tuple[list[float], list[float]]:
    """Style errors to the first and to the second painting, frame by frame, as the photograph is
    painted from one style to the other in equal steps.

    photo: (H, W, 3) uint8 RGB. Raises InputError if the styles can't be mixed, or lack a painting.
    """
    targets = [_painting(style, paintings) for style in (first, second)]
    errors: tuple[list[float], list[float]] = ([], [])
    frame = np.ascontiguousarray(photo[..., ::-1])
    for share in np.linspace(0, 1, MORPH_FRAMES):
        model = load_style(f"{first}:{1 - share:.6f}+{second}:{share:.6f}")
        (painted,) = model.paint([photo])
        picture = np.ascontiguousarray(painted[..., ::-1])
        for found, target in zip(errors, targets, strict=True):
            with torch.no_grad():
                found.append(likeness(network, frame, picture, target).style_error)
    return errors


def moves_on(errors: Sequence[float]) -> float:
    """The share of steps in which an error rises."""
    return float(np.mean(np.diff(errors) > 0))


def _painting(style: str, folder: Path) -> np.ndarray:
    path = find_painting(Path(style).stem, folder)
    if path is None:
        raise InputError(f"{style}: there is no painting of it in {folder}.")
    image: np.ndarray | None = cv2.imread(str(path))
    if image is None:
        raise InputError(f"{path}: not an image that can be read.")
    return image
