"""Masks as the stages of a run: a frame's "painting" is its mask in grey, (1, H, W, 3)."""

from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.errors import InputError
from fastvid.masking.cutting import cut_seed, next_mask
from fastvid.masking.network import NETWORK, MaskNetwork
from fastvid.masking.seeds import SEEDS
from fastvid.motion.source import MotionSource
from fastvid.motion.warp import inside_frame, sample, sampling_map
from fastvid.regions.planes import split
from fastvid.stages.interface import Motion
from fastvid.stages.repaint import Repaint
from fastvid.stages.settings import PictureSettings, estimated_motion
from fastvid.stages.temporal import TemporalStep
from fastvid.style.model import set_threads


class NetworkMasks:
    """What a network finds in each frame, steadied along the flow as paintings are."""

    def __init__(
        self, network: MaskNetwork, settings: PictureSettings, source: MotionSource | None = None
    ) -> None:
        self._network = network
        self._moving = Repaint([], settings, (), 1, source)

    def motion(
        self, frame: np.ndarray, previous: np.ndarray, number: int
    ) -> Motion[TemporalStep | None] | None:
        """As `Repaint.motion`."""
        return self._moving.motion(frame, previous, number)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The mask of a frame by itself."""
        return as_grey(self._network.mask(frame))

    def blend(
        self, painted: np.ndarray, previous: np.ndarray, motion: Motion[TemporalStep | None]
    ) -> np.ndarray:
        """As `Repaint.blend`."""
        return self._moving.blend(painted, previous, motion)


@dataclass(frozen=True)
class Passage:
    """What it takes to go on with the mask of the frame before.

    image: the frame, (H, W, 3) uint8 RGB. positions: where the frame before is sampled. reliable:
    where the flow is. seeded: the frame has a seed of its own, which counts.
    """

    image: np.ndarray
    positions: np.ndarray
    reliable: np.ndarray
    seeded: bool


class SeededMasks:
    """What was painted on some frames, carried on along the flow; frames come with their seeds."""

    def __init__(self, settings: PictureSettings, source: MotionSource | None = None) -> None:
        self._source = source or estimated_motion(settings)
        set_threads(settings.threads)

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[Passage]:
        """Flow of `frame` against the frame before it, and the frame itself."""
        image, (seed,) = split(frame)
        before, _ = split(previous)
        backward, reliable = self._source(image, before, number)
        return Motion(Passage(image, sampling_map(backward), reliable, bool(seed.any())))

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The mask that the seed of a frame says; none without one. Raises InputError for strokes
        that give nothing."""
        image, (seed,) = split(frame)
        if not seed.any():
            return np.zeros((1, *image.shape), np.uint8)
        mask = cut_seed(image, seed)
        if not mask.any():
            raise InputError("nothing is left of the seed of this frame: paint more green.")
        return as_grey(mask)

    def blend(
        self, painted: np.ndarray, previous: np.ndarray, motion: Motion[Passage]
    ) -> np.ndarray:
        """The mask of the frame: its own seed's, or that of the frame before, carried on."""
        passage = motion.prepared
        if passage.seeded:
            return painted
        before = np.ascontiguousarray(previous[0, ..., 0])
        if not before.any():
            return painted
        moved = sample(before, passage.positions)
        # What comes in from outside the frame is not known to belong to the mask.
        moved[~inside_frame(passage.positions)] = 0
        return as_grey(next_mask(passage.image, moved, passage.reliable))


def mask_stages(
    name: str, data: bytes, settings: PictureSettings, source: MotionSource | None = None
) -> NetworkMasks | SeededMasks:
    """The stages of a run that makes masks. name, data: of the network's file; seeds travel with
    the frames."""
    kind, _, size = (settings.masking or "").partition(" ")
    if kind == SEEDS:
        return SeededMasks(settings, source)
    assert kind == NETWORK
    width, height = (int(side) for side in size.split("x"))
    return NetworkMasks(MaskNetwork(data, name, (width, height)), settings, source)


def as_grey(mask: np.ndarray) -> np.ndarray:
    """(H, W) to (1, H, W, 3)."""
    grey: np.ndarray = cv2.merge([mask, mask, mask])
    return grey[None]
