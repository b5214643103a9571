"""The training loop: from (settings, photographs, paintings) to weights, one step after the other.

What step k does is a function of the settings, the weights before it and k: the order of the
photographs and all random numbers are derived from the seed and the number of the item. A run that
is continued from a saved state does the same arithmetic as one that was never interrupted.
"""

import copy
import math
import time

import numpy as np
import torch

from fastvid.errors import FastvidError
from fastvid.style import losses
from fastvid.style.lossnet import LossNetwork
from fastvid.style.patches import patch_loss, patch_target
from fastvid.training.bank import StyleBank
from fastvid.training.photos import PhotoSet
from fastvid.training.sampling import Sample, Sampler, as_images, jittered
from fastvid.training.settings import TrainingSettings, convolution_type
from fastvid.training.start import Start
from fastvid.training.video_pairs import VideoPairs
from fastvid.training.world import World, average

WARM_UP_STEPS = 50
# The learning rate falls along a cosine to this share of its start.
FINAL_RATE = 0.05
# The norms are all that tells styles apart, and see only the batches of their own style.
NORM_RATE = 8.0
# The exported weights are a running mean of the trained ones: less noise, and never a bad moment.
AVERAGE_DECAY = 0.998

TERMS = ("content", "style", "patches", "variation", "temporal", "total")


class Trainer:
    """Weights, optimiser and position of a run. `average` holds the weights that are exported."""

    def __init__(
        self,
        settings: TrainingSettings,
        photos: PhotoSet,
        paintings: list[np.ndarray],
        loss_network: LossNetwork,
        device: torch.device,
        world: World = World(),
        videos: VideoPairs | None = None,
        start: Start | None = None,
    ) -> None:
        self.settings, self.photos, self.world, self.device = settings, photos, world, device
        self.sampler = Sampler(settings, photos, videos, len(paintings), device, world)
        self._dtype = convolution_type(settings.precision, device)
        self.loss_network = loss_network.prepared(device, self._dtype)
        images = [as_images([painting], device) for painting in paintings]
        self.targets = [losses.style_target(self.loss_network, image) for image in images]
        self.patches = [patch_target(image) for image in images]
        torch.manual_seed(settings.seed)
        bank = self._new_bank(len(paintings))
        if start is not None:
            bank.load_styles(start.weights)
        self.bank = bank.to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.bank).requires_grad_(False)
        norms = self.bank.norm_parameters()
        known = {id(parameter) for parameter in norms}
        shared = [p for p in self.bank.parameters() if id(p) not in known]
        for parameter in shared:
            parameter.requires_grad_(not settings.only_norms)
        self.adam = torch.optim.Adam(
            [{"params": shared, "rate": 1.0}, {"params": norms, "rate": NORM_RATE}],
            lr=settings.learning_rate,
        )
        self.step_number = 0
        self.seconds = 0.0
        self._clock: float | None = None

    @property
    def progress(self) -> float:
        """How much of the training is done, 0..1: of its minutes, where they are limited, or of
        its steps."""
        if self.settings.minutes is not None:
            return min(1.0, self.seconds / (60 * self.settings.minutes))
        return min(1.0, self.step_number / self.settings.steps)

    def step(self) -> dict[str, float]:
        """Train one step; returns the mean of each loss term (unweighted; `total` is weighted).

        Raises FastvidError, before the weights are touched, if the loss or a gradient is no finite
        number.
        """
        if self._clock is None:
            self._clock = time.monotonic()
        self.adam.zero_grad()
        sums = torch.zeros(len(TERMS), device=self.device)
        for micro in range(self.settings.accumulate):
            terms = self._terms(self._sample(micro))
            (terms["total"] / self.settings.accumulate).backward()
            sums += torch.stack([terms[name].detach() for name in TERMS])
        sums /= self.settings.accumulate
        gradients = [p.grad for p in self.bank.parameters() if p.grad is not None]
        elapsed = self._elapsed()
        average(self.world, [*gradients, sums, elapsed])
        # A finite loss may have a gradient that is not; one step would spoil all weights.
        if not bool(torch.stack([torch.isfinite(p).all() for p in (sums, *gradients)]).all()):
            raise FastvidError(
                f"training diverged in step {self.step_number + 1}: the loss or its gradient is no "
                "finite number. The last saved state is good; use a lower --learning-rate"
            )
        for group in self.adam.param_groups:
            group["lr"] = group["rate"] * self._learning_rate()
        self.adam.step()
        self.step_number += 1
        self.seconds += float(elapsed)
        self._update_average()
        return dict(zip(TERMS, sums.tolist(), strict=True))

    def state(self) -> dict[str, object]:
        """All that `restore` needs; random numbers are functions of the position."""
        return {
            "step": self.step_number,
            "seconds": self.seconds,
            "bank": self.bank.state_dict(),
            "average": self.average.state_dict(),
            "adam": self.adam.state_dict(),
        }

    def restore(self, state: dict) -> None:
        """Go on from a state of a run with the same settings."""
        self.bank.load_state_dict(state["bank"])
        self.average.load_state_dict(state["average"])
        self.adam.load_state_dict(state["adam"])
        self.step_number = int(state["step"])
        self.seconds = float(state["seconds"])

    def _elapsed(self) -> torch.Tensor:
        """Seconds since the last call or the first step; ranks take their mean for the truth."""
        assert self._clock is not None
        before, self._clock = self._clock, time.monotonic()
        return torch.tensor([self._clock - before], device=self.device)

    def paint(self, images: torch.Tensor, style: int) -> torch.Tensor:
        """Paint (N, 3, H, W) BGR 0..255 with the averaged weights."""
        with torch.no_grad(), self._precision():
            return self.average(images, style)

    def _new_bank(self, styles: int) -> StyleBank:
        return StyleBank(self.settings.arch, styles)

    def _sample(self, micro: int) -> Sample:
        """The micro-batch number `micro` of the step to come."""
        return self.sampler.sample(self.step_number, micro)

    def _terms(self, sample: Sample) -> dict[str, torch.Tensor]:
        settings = self.settings
        with self._precision():
            painted = self._painted(sample)
        features = self.loss_network(jittered(painted, sample.jitter))
        with torch.no_grad():
            wanted = self.loss_network(jittered(sample.content, sample.jitter))
        random = np.random.default_rng([settings.seed, sample.turn, 5])
        generator = torch.Generator().manual_seed(int(random.integers(1 << 62)))
        terms = {
            "content": losses.content_loss(features, wanted, self.loss_network.layers.content),
            "style": losses.style_loss(features, self.targets[sample.style]),
            "patches": patch_loss(painted, self.patches[sample.style], generator),
            "variation": losses.total_variation(painted),
            "temporal": self._temporal(sample, painted),
        }
        weights = {
            "content": settings.content_weight,
            "style": settings.style_weights[sample.style],
            "patches": settings.patch_weight,
            "variation": settings.tv_weight,
            "temporal": self._temporal_weight(),
        }
        weighted = [weights[name] * terms[name] for name in weights]
        return {**terms, "total": torch.stack(weighted).sum()}

    def _painted(self, sample: Sample) -> torch.Tensor:
        return self.bank(sample.images, sample.style)

    def _temporal_weight(self) -> float:
        return self.settings.temporal_weight

    def _temporal(self, sample: Sample, painted: torch.Tensor) -> torch.Tensor:
        if sample.first is None or sample.backward_flow is None or sample.visible is None:
            return torch.zeros((), device=self.device)
        with self._precision():
            first = self.bank(sample.first, sample.style)
        return losses.temporal_loss(first, painted, sample.backward_flow, sample.visible)

    def _learning_rate(self) -> float:
        """Linear warm-up, then a cosine from 1 to FINAL_RATE of the setting."""
        warm_up = min(1.0, (self.step_number + 1) / WARM_UP_STEPS)
        share = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * self.progress)) / 2
        return self.settings.learning_rate * warm_up * share

    def _update_average(self) -> None:
        # Early on the mean is over the few steps that there are.
        decay = min(AVERAGE_DECAY, self.step_number / (self.step_number + 10))
        with torch.no_grad():
            for mean, current in zip(
                self.average.parameters(), self.bank.parameters(), strict=True
            ):
                mean.lerp_(current, 1 - decay)

    def _precision(self) -> torch.autocast:
        low = self._dtype == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=low)
