"""Which pictures a step trains on: a function of the seed, the step and the rank alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fastvid.training.pairs import FramePair, make_pair, make_single
from fastvid.training.photos import PhotoSet, read_photo
from fastvid.training.settings import TrainingSettings
from fastvid.training.video_pairs import VIDEO_SHARE, VideoPairs
from fastvid.training.world import World

# Loss networks halve pictures: seen at a fixed place, their grid is painted into the result. The
# pictures are shown to them shifted by up to so many pixels, all phases of fire8's grid of 8.
JITTER_PX = 8


@dataclass(frozen=True)
class Sample:
    """One micro-batch: (N, 3, H, W) images, and for pairs the first frames, flow and visibility.

    `jitter` is how many columns and rows the loss network does not see at the left and the top,
    `turn` the number of the micro-batch in the run.
    """

    style: int
    jitter: tuple[int, int]
    images: torch.Tensor
    content: torch.Tensor
    first: torch.Tensor | None = None
    backward_flow: torch.Tensor | None = None
    visible: torch.Tensor | None = None
    turn: int = 0


@dataclass(frozen=True)
class Sampler:
    """Draws the micro-batches of one rank. Styles take turns over micro-batches and ranks."""

    settings: TrainingSettings
    photos: PhotoSet
    videos: VideoPairs | None
    styles: int
    device: torch.device
    world: World

    def sample(self, step: int, micro: int) -> Sample:
        """The micro-batch number `micro` of this rank in a step."""
        turn, settings = self.turn(step, micro), self.settings
        if not self.stable(step) or settings.temporal_weight == 0 or not self.paired(turn):
            return self.singles(turn)
        pairs = [self._pair(item) for item in self.items(turn)]
        return Sample(
            self.style(turn),
            self.jitter(turn),
            as_images([pair.second for pair in pairs], self.device),
            as_images([pair.content for pair in pairs], self.device),
            as_images([pair.first for pair in pairs], self.device),
            torch.from_numpy(np.stack([pair.backward_flow for pair in pairs])).to(self.device),
            torch.from_numpy(np.stack([pair.visible for pair in pairs])).to(self.device),
            turn,
        )

    def turn(self, step: int, micro: int) -> int:
        """The number of a micro-batch in the run, over all ranks: what its pictures depend on."""
        return (step * self.settings.accumulate + micro) * self.world.size + self.world.rank

    def style(self, turn: int) -> int:
        """The style of a micro-batch."""
        return turn % self.styles

    def jitter(self, turn: int) -> tuple[int, int]:
        """The jitter of a micro-batch."""
        shift = np.random.default_rng([self.settings.seed, turn, 3]).integers(JITTER_PX, size=2)
        return (int(shift[0]), int(shift[1]))

    def items(self, turn: int) -> range:
        """The items of the endless training order that are in a micro-batch."""
        return range(turn * self.settings.batch, (turn + 1) * self.settings.batch)

    def stable(self, step: int) -> bool:
        """Whether a step comes after those that train on single pictures first.

        A run that is limited by time has none of those.
        """
        if self.settings.minutes is not None:
            return True
        return step >= self.settings.stability_start * self.settings.steps

    def paired(self, turn: int) -> bool:
        """Whether a micro-batch is one of pairs, where the step may have them."""
        random = np.random.default_rng([self.settings.seed, turn, 6])
        return bool(random.random() < self.settings.pair_share)

    def singles(self, turn: int) -> Sample:
        """A micro-batch of single pictures."""
        images, contents = zip(*(self._single(item) for item in self.items(turn)), strict=True)
        return Sample(
            self.style(turn),
            self.jitter(turn),
            as_images(images, self.device),
            as_images(contents, self.device),
            turn=turn,
        )

    def photos_of(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        """The photograph of an item and another for its cut-out."""
        one, two = self.photos.chosen(item, self.settings.seed)
        return read_photo(one, self.settings.size), read_photo(two, self.settings.size)

    def random(self, item: int) -> np.random.Generator:
        """The random numbers of an item."""
        return np.random.default_rng([self.settings.seed, item, 2])

    def _single(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        path, _ = self.photos.chosen(item, self.settings.seed)
        photo = read_photo(path, self.settings.size)
        return make_single(photo, self.settings.size, self.random(item))

    def _pair(self, item: int) -> FramePair:
        random = self.random(item)
        if self.videos is not None and random.random() < VIDEO_SHARE:
            return self.videos.crop(self.settings.size, random)
        photo, other = self.photos_of(item)
        return make_pair(photo, other, self.settings.size, random)


def as_images(pictures: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
    """Pictures (H, W, 3) BGR to a tensor (N, 3, H, W) float32 in channels-last layout."""
    stacked = torch.from_numpy(np.stack(pictures).astype(np.float32))
    return stacked.permute(0, 3, 1, 2).to(device)


def jittered(images: torch.Tensor, jitter: tuple[int, int]) -> torch.Tensor:
    """The images without JITTER_PX - 1 columns and rows, of which `jitter` at the left and top."""
    columns, rows = jitter
    height, width = images.shape[2] - JITTER_PX + 1, images.shape[3] - JITTER_PX + 1
    return images[:, :, rows : rows + height, columns : columns + width]
