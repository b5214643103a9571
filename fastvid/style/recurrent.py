"""Recurrent style models: each frame is painted with the previous result, moved along the flow.

    S_i = N(f_i, W_i * M_i, M_i),  W_i = warp(S_{i-1}, flow from i to i-1)

Ruder, Dosovitskiy, Brox, "Artistic Style Transfer for Videos and Spherical Images", IJCV 126, 2018.
The 7 channels are the frame minus its mean, the warped result minus the mean, times the mask, and
the mask itself, 0..1. So an occluded pixel is filled with the mean, which is zero by then. The
first frame of a shot has no previous result: warped and mask are zero everywhere. The output is
rounded to 8 bit, as in the port of 2020 (Galatic), where the original hands on floats.
"""

import numpy as np
import torch

from fastvid.style.model import StyleModel, check_frame


class RecurrentModel(StyleModel):
    """A 7-channel model. `paint` and `begin` paint every frame as the first of a shot.

    Same bytes for the same step, as for a StyleModel.
    """

    kind = "recurrent"

    def step(
        self, frame: np.ndarray, warped: np.ndarray | None, mask: np.ndarray | None
    ) -> np.ndarray:
        """Paints the next frame of a shot: (H, W, 3) uint8 RGB.

        frame: (H, W, 3) uint8 RGB. warped: the previous result moved along the backward flow, of
        the same form, not masked; None for the first frame of a shot. mask: (H, W), bool or float32
        0..1, where the flow is reliable, after the 7x7 minimum filter (`network_mask`); taken as
        zero if warped is None. Raises ValueError for another form, InputError for numbers that
        overflow or a GPU's memory that does not suffice.
        """
        check_frame(frame)
        if warped is None:
            return self.begin([frame], 1).images()[0]
        check_frame(warped)
        if mask is None or not frame.shape == warped.shape == (*mask.shape, 3):
            form = None if mask is None else mask.shape
            raise ValueError(
                f"frame {frame.shape}, warped {warped.shape} and mask {form} do not have one size"
            )
        margins = self._margins(*frame.shape[:2])
        trust = margins.add(mask.astype(np.float32)[None, :, :, None])
        with self._computing(1, margins):
            pixels = self._upload(margins.add(np.stack([frame, warped])))
            present, previous = self._centred(pixels).split(1)
            shown = self._upload(trust)
            levels, finite = self._finish(torch.cat([present, previous * shown, shown], dim=3))
            return self._pending(margins.cut(levels), finite, 1).images()[0]

    def _network_input(self, pixels: torch.Tensor) -> torch.Tensor:
        """A frame without a past: previous result and mask are zero."""
        present = self._centred(pixels)
        past = present.new_zeros(*present.shape[:3], self.variant.in_channels - present.shape[3])
        return torch.cat([present, past], dim=3)
