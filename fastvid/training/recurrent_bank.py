"""A network that holds several styles of recurrent models: it is shown what it painted before.

The seven channels are those of fastvid.style.recurrent, which runs what is exported from here: the
frame minus its mean, the previous result moved along the flow, minus the mean, times the mask, and
the mask (Ruder, Dosovitskiy, Brox, IJCV 126, 2018, section 4).
"""

from dataclasses import dataclass

import torch

from fastvid.style.variant import RECURRENT_CHANNELS, Variant
from fastvid.training.bank import StyleBank


@dataclass(frozen=True)
class Past:
    """What a frame knows of the frame before it.

    warped: (N, 3, H, W) float32 BGR 0..255, the previous result moved along the flow, not masked.
    mask: (N, H, W) float32, 0 or 1, where it counts, after the minimum filter of the networks.
    """

    warped: torch.Tensor
    mask: torch.Tensor


class RecurrentBank(StyleBank):
    """A StyleBank of 7 channels."""

    variant = Variant(in_channels=RECURRENT_CHANNELS)

    def forward(self, images: torch.Tensor, style: int, past: Past | None = None) -> torch.Tensor:
        """Paints (N, 3, H, W) float32 BGR 0..255; past: None for the first frames of shots."""
        present = images - self.mean
        if past is None:
            unseen = RECURRENT_CHANNELS - present.shape[1]
            shape = (present.shape[0], unseen, *present.shape[2:])
            return self._levels(torch.cat([present, present.new_zeros(shape)], 1), style)
        mask = past.mask[:, None]
        return self._levels(torch.cat([present, (past.warped - self.mean) * mask, mask], 1), style)
