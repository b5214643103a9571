"""The stages of a frame with recurrent models: painting is the temporal pass.

    S_i = N(f_i, W_i, M_i),  W_i = warp(S_{i-1}, flow from i to i-1)

as in Ruder, Dosovitskiy, Brox (IJCV 126, 2018). Flow and masks depend on the film alone and are
the parallel part. S is 8 bit: what is handed on is what is stored, so the bytes depend neither on
the number of ranks nor on a restart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.motion.occlusion import NETWORK_MASK_WINDOW_PX, shrink
from fastvid.motion.source import MotionSource
from fastvid.motion.warp import sample, sampling_map
from fastvid.sphere.painting import SphereRecurrent, at_own_size
from fastvid.sphere.projection import Sphere
from fastvid.stages.interface import Motion
from fastvid.stages.settings import PictureSettings, estimated_motion
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.recurrent import RecurrentModel


@dataclass(frozen=True)
class Past:
    """Where a frame finds the result before it.

    positions: where that is sampled, (H, W, 2) float32 pixels, of each eye in that eye. mask: where
    it counts, (H, W) bool, after the minimum filter of the networks. sphere: what the frames show,
    None for flat pictures.
    """

    positions: np.ndarray
    mask: np.ndarray
    sphere: Sphere | None = None

    def move(self, image: np.ndarray) -> np.ndarray:
        """An image of the frame before, (H, W, 3) uint8 or float32, moved along the flow."""
        if self.sphere is None:
            return sample(image, self.positions)
        eyes = zip(self.sphere.eyes(image), self.sphere.eyes(self.positions), strict=True)
        wraps = self.sphere.wraps
        return self.sphere.joined([sample(eye, places, wrap=wraps) for eye, places in eyes])


class RecurrentRepaint:
    """The stages of some recurrent models (see `fastvid.stages.interface.RecurrentStages`).

    first: paints the first frame of each shot; None lets each model do that, without a past. keep:
    "flow" and "occlusion" keep what is to be stored. source: of flow and masks; None estimates
    them as the settings say.
    """

    def __init__(
        self,
        models: Sequence[RecurrentModel],
        settings: PictureSettings,
        keep: tuple[str, ...] = (),
        first: StyleModel | None = None,
        source: MotionSource | None = None,
    ) -> None:
        sphere = self._sphere = settings.sphere
        self._models: Sequence[RecurrentModel | SphereRecurrent] = models
        if sphere is not None:
            self._models = [SphereRecurrent(model, sphere) for model in models]
        self._first = None if first is None else at_own_size(first, sphere)
        self._keep = keep
        self._source = source or estimated_motion(settings)
        set_threads(settings.threads)

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[Past]:
        """Flow and mask of `frame` against the frame before it."""
        backward, reliable = self._source(frame, previous, number)
        return Motion(
            prepared=_past(backward, reliable, self._sphere),
            backward=backward if "flow" in self._keep else None,
            reliable=reliable if "occlusion" in self._keep else None,
        )

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame itself, (H, W, 3): whatever is painted needs the past."""
        return frame

    def begin(self, frame: np.ndarray) -> np.ndarray:
        """The finished first frame of a shot in each style, (styles, H, W, 3) uint8 RGB."""
        if self._first is not None:
            (painted,) = self._first.begin([frame], 1).images()
            return np.stack([painted] * len(self._models))
        return np.stack([model.step(frame, None, None) for model in self._models])

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[Past]) -> np.ndarray:
        """The next finished frame in each style.

        painted: what `paint` returned. previous: the finished frame before it, (styles, H, W, 3).
        """
        past = motion.prepared
        return np.stack(
            [
                model.step(painted, past.move(before), past.mask)
                for model, before in zip(self._models, previous, strict=True)
            ]
        )

    def carry(self, difference: np.ndarray, motion: Motion[Past]) -> np.ndarray:
        """Differences of finished frames, (styles, H, W, 3) float32, moved along the flow; zero
        where the network is not shown its past."""
        past = motion.prepared
        return np.stack([past.move(image) * past.mask[..., None] for image in difference])

    def temporal_error(
        self, finished: np.ndarray, previous: np.ndarray, motion: Motion[Past]
    ) -> float:
        """See `RecurrentStages`; over all styles, by the run's own flow and mask."""
        past = motion.prepared
        if not past.mask.any():
            return math.nan
        apart = [
            cv2.subtract(now, past.move(before), dtype=cv2.CV_32F)[past.mask]
            for now, before in zip(finished, previous, strict=True)
        ]
        return math.sqrt(np.mean([np.square(one).mean(dtype=np.float64) for one in apart]))


def _past(backward: np.ndarray, reliable: np.ndarray, sphere: Sphere | None) -> Past:
    """Where the past is by flow and mask, each eye by itself."""
    if sphere is None:
        return Past(sampling_map(backward), shrink(reliable, NETWORK_MASK_WINDOW_PX))
    positions = [
        sampling_map(np.ascontiguousarray(eye), sphere.wraps) for eye in sphere.eyes(backward)
    ]
    masks = [
        shrink(np.ascontiguousarray(eye), NETWORK_MASK_WINDOW_PX, sphere.wraps)
        for eye in sphere.eyes(reliable)
    ]
    return Past(sphere.joined(positions), sphere.joined(masks), sphere)
