"""Which frames a step of a recurrent model trains on, and with or without a past.

The schedule is that of the "multi-frame, mixed training" of Fast Artistic Videos (Ruder,
Dosovitskiy, Brox, IJCV 126, 2018; the numbers are those of its published settings): half of the
samples are first frames, and late in the run the past of the others is itself the result of
several frames.
"""

from dataclasses import dataclass

import numpy as np
import torch

from fastvid.motion.occlusion import network_mask
from fastvid.training.sampling import Sample, Sampler, as_images
from fastvid.training.sequences import FrameSequence, make_sequence
from fastvid.training.video_pairs import VIDEO_SHARE
from fastvid.training.video_sequences import VideoSequences

# single_image : video + shift + zoom_out is 5 : 3 + 1 + 1.
FIRST_FRAME_SHARE = 0.5
# From which share of the run on how many frames follow the first one of a sequence: 1 at first, 2
# from iteration 50,000 of 90,000 on, 4 from 60,000 on.
GROWTH = ((0.0, 1), (5 / 9, 2), (2 / 3, 4))


@dataclass(frozen=True)
class SequenceSample(Sample):
    """A micro-batch of sequences; `images` and `content` are of their last frames.

    earlier: all frames before the last, (N, 3, H, W) each. flows, (N, H, W, 2), and masks,
    (N, H, W) float32 after the minimum filter of the networks: from each frame but the first to the
    one before it. All are empty if the images are first frames.
    """

    earlier: tuple[torch.Tensor, ...] = ()
    flows: tuple[torch.Tensor, ...] = ()
    masks: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True)
class SequenceSampler:
    """Draws the micro-batches of one rank; `pictures` says which photographs and styles."""

    pictures: Sampler
    videos: VideoSequences | None

    def sample(self, step: int, micro: int) -> SequenceSample:
        """The micro-batch number `micro` of this rank in a step."""
        pictures, settings = self.pictures, self.pictures.settings
        turn = pictures.turn(step, micro)
        first = np.random.default_rng([settings.seed, turn, 4]).random() < FIRST_FRAME_SHARE
        if first or not pictures.stable(step):
            single = pictures.singles(turn)
            return SequenceSample(
                single.style, single.jitter, single.images, single.content, turn=turn
            )
        length = 1 + following_frames(step, settings.steps)
        sequences = [self._sequence(item, length) for item in pictures.items(turn)]
        return SequenceSample(
            pictures.style(turn),
            pictures.jitter(turn),
            as_images([sequence.frames[-1] for sequence in sequences], pictures.device),
            as_images([sequence.content for sequence in sequences], pictures.device),
            turn=turn,
            earlier=tuple(
                as_images([sequence.frames[number] for sequence in sequences], pictures.device)
                for number in range(length - 1)
            ),
            flows=tuple(
                self._stacked([sequence.backward_flows[number] for sequence in sequences])
                for number in range(length - 1)
            ),
            masks=tuple(
                self._stacked([network_mask(sequence.visible[number]) for sequence in sequences])
                for number in range(length - 1)
            ),
        )

    def _sequence(self, item: int, length: int) -> FrameSequence:
        size, random = self.pictures.settings.size, self.pictures.random(item)
        if self.videos is not None and random.random() < VIDEO_SHARE:
            return self.videos.crop(size, length, random)
        return make_sequence(*self.pictures.photos_of(item), size, length, random)

    def _stacked(self, arrays: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self.pictures.device)


def following_frames(step: int, steps: int) -> int:
    """How many frames follow the first one of a sequence in step `step`, counted from 0."""
    return max(count for share, count in GROWTH if step >= share * steps)
