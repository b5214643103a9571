"""Repainting parts of the picture: each look is painted as `Repaint` paints a whole frame, and
composed before the temporal pass."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastvid.motion.source import MotionSource
from fastvid.regions.compose import compose, dampened, same_look
from fastvid.regions.looks import Layout, Look, lay_out
from fastvid.regions.planes import split
from fastvid.sphere.projection import Sphere
from fastvid.stages.eyes import EyesStep, FilterStep, apply_rows, rows_needed, weights_of_eyes
from fastvid.stages.interface import Motion, PendingBatch
from fastvid.stages.repaint import Repaint
from fastvid.stages.settings import PictureSettings, eye_to_eye
from fastvid.stages.temporal import TemporalStep
from fastvid.style.model import StyleModel

# Weights of so many frames are kept beside those of a batch: a frame's are asked for when it is
# painted, for its own motion, and for that of the next one.
_KEPT_FRAMES = 3
# What --keep calls them.
WEIGHTS = "regions"


@dataclass(frozen=True)
class _Parts:
    """A frame taken apart. frame: as it came, with its masks. image: (H, W, 3) uint8 RGB. weights:
    of the regions. shares: of each output, by look."""

    frame: np.ndarray
    image: np.ndarray
    weights: list[np.ndarray]
    shares: list[dict[int, np.ndarray]]

    def looks(self) -> list[int]:
        """The looks that show somewhere in this frame."""
        return sorted({look for shares in self.shares for look in shares})

    def composed(self, painted: dict[int, np.ndarray]) -> np.ndarray:
        """The outputs, (outputs, H, W, 3). painted: the looks, by their numbers."""
        return np.stack([compose(self.image, painted, shares) for shares in self.shares])


class RegionalRepaint:
    """The stages of some outputs whose regions are painted in their own ways (see
    `fastvid.stages.interface.Stages`). Frames come with a mask for each region behind their
    colours (`fastvid.regions.planes`).

    grounds: the style of the rest of the picture of each output, None for the film. models: of the
    regions, by the hashes of their checkpoints. Other parameters as of `Repaint`.
    """

    def __init__(
        self,
        grounds: Sequence[StyleModel | None],
        models: Sequence[StyleModel],
        settings: PictureSettings,
        keep: tuple[str, ...] = (),
        batch_size: int = 1,
        source: MotionSource | None = None,
    ) -> None:
        self.batch_size = batch_size
        self._regions = settings.regions
        self._sphere = settings.sphere
        self._layout = _layout(grounds, settings)
        known = {model.sha256: model for model in (*grounds, *models) if model is not None}
        # What it plans for a frame is the same for all looks; a batch paints one look at a time.
        eyes = eye_to_eye(settings, kept_frames=batch_size)
        self._painters = [
            Repaint(
                [known[look.style_sha256]],
                _with_look(settings, look),
                batch_size=batch_size,
                eyes=eyes,
            )
            for look in self._layout.looks
        ]
        self._keeps_weights = WEIGHTS in keep
        kept = tuple(name for name in keep if name != WEIGHTS)
        self._moving = Repaint([], settings, kept, batch_size, source)
        self._latest: deque[_Parts] = deque(maxlen=_KEPT_FRAMES + batch_size)

    def motion(
        self, frame: np.ndarray, previous: np.ndarray, number: int
    ) -> Motion[tuple[FilterStep, ...]] | None:
        """As `Repaint.motion`; what is kept of the past depends on the output where the looks of
        its parts do."""
        now, before = self._parts(frame), self._parts(previous)
        motion = self._moving.motion(now.image, before.image, number)
        if motion is None:
            return None
        steps: tuple[FilterStep, ...] = ()
        if motion.prepared is not None:
            pairs = zip(now.shares, before.shares, strict=True)
            steps = tuple(_kept_to_looks(motion.prepared, *shares) for shares in pairs)
        return Motion(steps, motion.backward, motion.reliable)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame in each output, (outputs, H, W, 3): its looks painted and put together."""
        parts = self._parts(frame)
        painters = self._painters
        return parts.composed(
            {look: painters[look].paint(parts.image)[0] for look in parts.looks()}
        )

    def begin_batch(self, frames: Sequence[np.ndarray]) -> "ComposedBatch":
        """Begins to paint frames as `paint` does: each look those frames in which it shows."""
        parts = [self._parts(frame) for frame in frames]
        pending: dict[int, tuple[list[int], PendingBatch]] = {}
        for look, painter in enumerate(self._painters):
            chosen = [place for place, one in enumerate(parts) if look in one.looks()]
            if chosen:
                images = [parts[place].image for place in chosen]
                pending[look] = chosen, painter.begin_batch(images)
        return ComposedBatch(parts, pending)

    def blend(
        self,
        painted: np.ndarray,
        previous: np.ndarray,
        motion: Motion[tuple[FilterStep, ...]],
    ) -> np.ndarray:
        """The finished frame of each output, from the composed and the finished one before it."""
        if not motion.prepared:
            return painted
        return np.stack(
            [
                step.apply(now, before)
                for step, now, before in zip(motion.prepared, painted, previous, strict=True)
            ]
        )

    def rows_needed(
        self, motion: Motion[tuple[FilterStep, ...]], first: int, stop: int
    ) -> int | None:
        """See `fastvid.stages.interface.RowStages`."""
        return rows_needed(motion.prepared, first, stop)

    def blend_rows(
        self,
        painted: np.ndarray,
        previous: np.ndarray,
        motion: Motion[tuple[FilterStep, ...]],
        first: int,
        stop: int,
        finished: np.ndarray,
    ) -> None:
        """See `fastvid.stages.interface.RowStages`."""
        apply_rows(motion.prepared, painted, previous, first, stop, finished)

    def kept_weights(self, frame: np.ndarray) -> np.ndarray | None:
        """See `fastvid.stages.interface.WeighingStages`."""
        return np.stack(self._parts(frame).weights) if self._keeps_weights else None

    def _parts(self, frame: np.ndarray) -> _Parts:
        for known in self._latest:
            if known.frame is frame:
                return known
        image, masks = split(frame)
        weights = weights_of_eyes(image, masks, self._regions, self._sphere)
        outputs = range(len(self._layout.grounds))
        parts = _Parts(
            frame, image, weights, [self._layout.shares(weights, output) for output in outputs]
        )
        self._latest.append(parts)
        return parts


class ComposedBatch:
    """Frames whose looks are being painted (see `PendingBatch`)."""

    def __init__(
        self,
        parts: Sequence[_Parts],
        pending: dict[int, tuple[list[int], PendingBatch]],
    ) -> None:
        self._parts = parts
        self._pending = pending

    def ready(self) -> bool:
        """Whether all looks are done."""
        return all(batch.ready() for _, batch in self._pending.values())

    def images(self) -> list[np.ndarray]:
        """The frames, (outputs, H, W, 3) uint8 RGB each; waits for them."""
        painted: list[dict[int, np.ndarray]] = [{} for _ in self._parts]
        for look, (chosen, batch) in self._pending.items():
            for place, images in zip(chosen, batch.images(), strict=True):
                painted[place][look] = images[0]
        return [parts.composed(looks) for parts, looks in zip(self._parts, painted, strict=True)]


def _layout(grounds: Sequence[StyleModel | None], settings: PictureSettings) -> Layout:
    own = settings.strength, settings.keep_colors
    return lay_out(settings.regions, [("" if one is None else one.sha256, *own) for one in grounds])


def _kept_to_looks(
    step: FilterStep, now: dict[int, np.ndarray], before: dict[int, np.ndarray]
) -> FilterStep:
    """A step that keeps nothing of another look. now, before: shares of both frames by look."""
    if isinstance(step, EyesStep):
        eyes = zip(step.steps, *(_by_eye(step.sphere, one) for one in (now, before)), strict=True)
        return replace(step, steps=tuple(_in_one_picture(*each) for each in eyes))
    return _in_one_picture(step, now, before)


def _by_eye(sphere: Sphere, shares: dict[int, np.ndarray]) -> list[dict[int, np.ndarray]]:
    """Shares by look, of each eye."""
    eyes = {look: sphere.eyes(share) for look, share in shares.items()}
    return [
        {look: np.ascontiguousarray(seen[number]) for look, seen in eyes.items()}
        for number in range(sphere.eye_count)
    ]


def _in_one_picture(
    step: TemporalStep, now: dict[int, np.ndarray], before: dict[int, np.ndarray]
) -> TemporalStep:
    factor = same_look(now, before, step.positions, step.wrap)
    return replace(step, gate=dampened(step.gate, factor))


def _with_look(settings: PictureSettings, look: Look) -> PictureSettings:
    return replace(settings, strength=look.strength, keep_colors=look.film_colors)
