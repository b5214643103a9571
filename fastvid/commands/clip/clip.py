"""The generated clip: three shots, their frames, exact flow, true occlusions and sound."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fastvid.commands.clip import bay, flowers, village
from fastvid.commands.clip.layers import Layer, exact_flow, render, unseen
from fastvid.commands.clip.sound import compose
from fastvid.errors import InputError

FRAME_RATE = Fraction(24)
_SHOTS = (bay.build, village.build, flowers.build)
# The shots are staged in slow motion and played this much faster: nearest things then move by some
# 10 pixels a frame at 640x360, as in real footage.
_PACE = 2.0


@dataclass
class _Shot:
    """The layers of the shot in use, and the last two sets of owners: two frames make a pair."""

    number: int
    layers: list[Layer]
    owners: dict[int, np.ndarray]


class SyntheticClip:
    """A film of three shots that is painted on the fly; equal arguments give equal bytes.

    width, height: pixels, 16 and more; frame_count: at least 1, at 24 frames per second; the shots
    share the frames equally, clips under three frames have fewer shots. seed: of all that is
    random. Raises InputError for a size or a count out of range.

    cuts: the first frames of all shots but the first.

    Flow is that of the layer that a pixel belongs to, the front one where it covers at least half
    of the pixel. So on the rim of a moving thing, one pixel wide, colours mix two motions, but the
    flow is that of one.
    """

    def __init__(
        self, width: int = 640, height: int = 360, frame_count: int = 96, seed: int = 0
    ) -> None:
        if min(width, height) < 16 or max(width, height) > 8192:
            raise InputError(f"A generated clip of {width}x{height} is outside 16..8192 pixels.")
        if frame_count < 1:
            raise InputError(f"A clip of {frame_count} frames is none; give 1 or more.")
        self.width, self.height, self.frame_count = width, height, frame_count
        self.rate = FRAME_RATE
        self._seed = seed
        shots = min(len(_SHOTS), frame_count)
        self._starts = [frame_count * shot // shots for shot in range(shots)]
        self.cuts = tuple(self._starts[1:])
        self._shot: _Shot | None = None

    def frame(self, index: int) -> np.ndarray:
        """Frame number index, (H, W, 3) uint8 RGB."""
        shot, time_s = self._at(index)
        image, owners = render(shot.layers, time_s, self.width, self.height)
        self._remember(shot, index, owners)
        return image

    def backward_flow(self, index: int) -> np.ndarray:
        """The flow from frame index to the one before, (H, W, 2) float32, pixels.

        Raises ValueError for the first frame of a shot, which has none.
        """
        return self.flow(index, index - 1)

    def forward_flow(self, index: int) -> np.ndarray:
        """The flow from frame index to the one after, (H, W, 2) float32, pixels.

        Raises ValueError for the last frame of a shot, which has none.
        """
        return self.flow(index, index + 1)

    def occlusion(self, index: int) -> np.ndarray:
        """Which pixels of frame index can't be seen in the frame before, (H, W) bool.

        Hidden there by a layer in front, or outside the frame. Raises ValueError for the first
        frame of a shot.
        """
        flow = self.flow(index, index - 1)
        return unseen(self.owners(index), flow, self.owners(index - 1))

    def soundtrack(self, sample_rate_hz: int = 48000) -> np.ndarray:
        """Music as long as the clip: (samples, 2) float32 in [-1, 1]."""
        return compose(float(self.frame_count / self.rate), sample_rate_hz)

    def flow(self, index: int, other: int) -> np.ndarray:
        """The flow from frame index to another frame of its shot, (H, W, 2) float32, pixels.

        Raises ValueError where there is no such frame in the shot.
        """
        shot, time_s = self._at(index)
        if not 0 <= other < self.frame_count or self._shot_of(other) != shot.number:
            raise ValueError(f"frames {index} and {other} are not of one shot; there is no flow")
        _, other_time_s = self._at(other)
        return exact_flow(shot.layers, self.owners(index), time_s, other_time_s)

    def owners(self, index: int) -> np.ndarray:
        """Which layer of its shot each pixel of a frame belongs to, (H, W) int16, the rear one 0:
        the exact masks of what is seen."""
        shot, time_s = self._at(index)
        if index not in shot.owners:
            _, owners = render(shot.layers, time_s, self.width, self.height)
            self._remember(shot, index, owners)
        return shot.owners[index]

    def _remember(self, shot: _Shot, index: int, owners: np.ndarray) -> None:
        shot.owners[index] = owners
        while len(shot.owners) > 2:
            del shot.owners[next(iter(shot.owners))]

    def _shot_of(self, index: int) -> int:
        if not 0 <= index < self.frame_count:
            raise IndexError(f"frame {index} is outside 0..{self.frame_count - 1}")
        return sum(index >= cut for cut in self.cuts)

    def _at(self, index: int) -> tuple[_Shot, float]:
        """The shot of a frame, painted when first needed, and the staged seconds into it."""
        number = self._shot_of(index)
        if self._shot is None or self._shot.number != number:
            rng = np.random.default_rng([self._seed, number])
            layers = _SHOTS[number](self.width / self.height, float(self.height), rng)
            self._shot = _Shot(number, layers, {})
        return self._shot, _PACE * float((index - self._starts[number]) / self.rate)
