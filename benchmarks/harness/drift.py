"""Whether the temporal pass drifts: the style loss of a still photograph after many frames."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch

from fastvid.job.options import StylizeOptions
from fastvid.style.losses import style_loss, style_target
from fastvid.style.lossnet import LossNetwork
from fastvid.training.photos import read_painting, read_photo
from fastvid.training.sampling import as_images
from fastvid.training.settings import TrainingSettings
from harness.steadiness import stages_of

FRAMES = 200
NOISE_SIGMA_LEVELS = 3.0
# There and back again: the last frame shows what the first one does, and only time lies between.
PAN_PX_A_FRAME = 0.25
_PHOTO_SIDE_PX = 320
_CPU = torch.device("cpu")


def panned(photo: np.ndarray, frames: int = FRAMES) -> Iterator[np.ndarray]:
    """A noisy window on a photograph that glides to the right and back, (H, W, 3) uint8.

    photo: (H, W, 3) uint8.
    """
    reach = PAN_PX_A_FRAME * (frames - 1) / 2
    height, width = photo.shape[0], photo.shape[1] - int(np.ceil(reach)) - 2
    noise = np.random.default_rng(0)
    for index in range(frames):
        x = reach - abs(PAN_PX_A_FRAME * index - reach)
        shift = np.array([[1.0, 0.0, -x], [0.0, 1.0, 0.0]])
        window = cv2.warpAffine(
            photo, shift, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        window += NOISE_SIGMA_LEVELS * noise.standard_normal(window.shape, dtype=np.float32)
        yield np.rint(window).clip(0, 255).astype(np.uint8)


def drift(
    style: str,
    painting: Path,
    photo: str,
    network: LossNetwork,
    *,
    frames: int,
    options: StylizeOptions,
    threads: int,
) -> tuple[float, float]:
    """Style loss of the last frame over that of the first: finished, and painted frame by frame."""
    stages = stages_of(style, options, threads)
    picture = read_painting(str(painting), TrainingSettings().painting_sides[0])
    target = style_target(network, as_images([picture], _CPU))
    image = np.ascontiguousarray(read_photo(photo, _PHOTO_SIDE_PX)[..., ::-1])
    finished = previous = first = last = None
    for number, frame in enumerate(panned(image, frames)):
        last = stages.paint(frame)
        if previous is None or finished is None:
            finished = first = last
        else:
            motion = stages.motion(frame, previous, number)
            finished = last if motion is None else stages.blend(last, finished, motion)
        previous = frame
    assert first is not None and last is not None and finished is not None
    begun = _loss(network, first[0], target)
    return _loss(network, finished[0], target) / begun, _loss(network, last[0], target) / begun


def find_painting(style: str, folder: Path) -> Path | None:
    """The picture in a folder whose name is, or holds, the style's; None if there is none."""
    paths = sorted(path for path in folder.iterdir() if style in path.stem)
    exact = [path for path in paths if path.stem == style]
    return next(iter(exact + paths), None)


def _loss(network: LossNetwork, painted: np.ndarray, target: Mapping[str, torch.Tensor]) -> float:
    images = as_images([painted[..., ::-1]], _CPU)
    with torch.no_grad():
        return float(style_loss(network(images), target))
