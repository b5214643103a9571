"""The training loop for recurrent models: the last frame of a sequence, painted with its past.

As in Fast Artistic Videos (Ruder, Dosovitskiy, Brox, IJCV 126, 2018): all frames before the last
are painted by the network itself, the first one without a past. The losses are those of the last
frame alone, and gradients go through the last painting alone: the past is what the network is
given, not what it can change. The temporal loss compares the result with the past that was shown,
where it was.
"""

from dataclasses import dataclass

import numpy as np
import torch

from fastvid.style import losses
from fastvid.style.lossnet import LossNetwork
from fastvid.training.bank import StyleBank
from fastvid.training.photos import PhotoSet
from fastvid.training.recurrent_bank import Past, RecurrentBank
from fastvid.training.sampling import Sample
from fastvid.training.sequence_sampling import FIRST_FRAME_SHARE, SequenceSample, SequenceSampler
from fastvid.training.settings import TrainingSettings
from fastvid.training.start import Start
from fastvid.training.trainer import Trainer
from fastvid.training.video_sequences import VideoSequences
from fastvid.training.world import World


@dataclass(frozen=True)
class SampleWithPast(Sample):
    """A micro-batch of frames; past: None if they are the first of their shots."""

    past: Past | None = None


class RecurrentTrainer(Trainer):
    """A Trainer of recurrent models. `paint` paints pictures as the first frames of shots."""

    def __init__(
        self,
        settings: TrainingSettings,
        photos: PhotoSet,
        paintings: list[np.ndarray],
        loss_network: LossNetwork,
        device: torch.device,
        world: World = World(),
        videos: VideoSequences | None = None,
        start: Start | None = None,
    ) -> None:
        super().__init__(
            settings, photos, paintings, loss_network, device, world, videos=None, start=start
        )
        self.sequences = SequenceSampler(self.sampler, videos)

    def _new_bank(self, styles: int) -> StyleBank:
        return RecurrentBank(self.settings.arch, styles)

    def _sample(self, micro: int) -> Sample:
        sample = self.sequences.sample(self.step_number, micro)
        with torch.no_grad(), self._precision():
            past = past_of(self.bank, sample)
        return SampleWithPast(
            sample.style,
            sample.jitter,
            sample.images,
            sample.content,
            turn=sample.turn,
            past=past,
        )

    def _painted(self, sample: Sample) -> torch.Tensor:
        assert isinstance(sample, SampleWithPast)
        painted: torch.Tensor = self.bank(sample.images, sample.style, sample.past)
        return painted

    def _temporal_weight(self) -> float:
        """First frames have no temporal loss: the others make up for them, as in the original."""
        return self.settings.temporal_weight / (1 - FIRST_FRAME_SHARE)

    def _temporal(self, sample: Sample, painted: torch.Tensor) -> torch.Tensor:
        assert isinstance(sample, SampleWithPast)
        if sample.past is None:
            return torch.zeros((), device=self.device)
        return losses.masked_difference(painted, sample.past.warped, sample.past.mask)


def past_of(bank: StyleBank, sample: SequenceSample) -> Past | None:
    """What the last frames of sequences are shown: all frames before them are painted in turn.

    What is handed on has whole levels 0..255 before and after it is moved, as when the model runs.
    """
    past: Past | None = None
    for images, flow, mask in zip(sample.earlier, sample.flows, sample.masks, strict=True):
        levels = bank(images, sample.style, past).round().clamp(0, 255)
        past = Past(losses.warp_images(levels, flow).round(), mask)
    return past
