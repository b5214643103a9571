"""The temporal filter: each painted frame is mixed with the previous result, moved along the flow.

    g_i = strength * M_i * exp(-e_i / (2 s^2)),  e_i = mean over channels of (f_i - warp(f_{i-1}))^2
    W_i = warp(S_{i-1}, flow from i to i-1), deblurred, clipped to 0..255
    S_i = A_i + trunc(g_i (W_i - A_i))

A_i is the painted frame, S_i the result, f_i the frame of the film. S of the first frame of a shot
is A. The correction is truncated towards zero, not rounded, so that every pixel keeps moving
towards A_i and no history sticks.

M_i is 1 where the consistency mask, less a rim, says that the flow is right, 0 where the flow
leaves the frame, and HIDDEN_TRUST elsewhere. There the two flows disagree, but often neither is far
off; if one is, the colours that it brings are wrong as a rule, and the exponential closes the gate.

All that depends on the film alone is put into a `TemporalStep` (the parallel part). Applying the
step (the serial part) is one warp and one mix in 16-bit integers, exact on every processor but for
the bilinear sampling itself. It may be applied some rows at a time, as soon as the rows of the
previous result that these take are known.

Deblurring. Bilinear sampling between two pixels, at the fraction a, damps a wave of frequency w by
sqrt(1 - 2x), x = a (1 - a) (1 - cos w). Adding a (1 - a) / 2 times the second difference
(-1, 2, -1) along that axis multiplies the wave by 1 + x, which is Catmull-Rom interpolation (Keys,
"Cubic Convolution Interpolation", 1981) and never amplifies: (1 + x) sqrt(1 - 2x) <= 1. `sharpen`
scales that term: 0 is bilinear, 1 is Catmull-Rom. More makes up for the blur of averaging; where
nothing moves by a fraction of a pixel nothing is sharpened at all, so a still can't run away.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from fastvid.errors import InputError
from fastvid.motion.occlusion import shrink
from fastvid.motion.warp import (
    check_flow,
    inside_frame,
    sample,
    sampling_map,
    wrapped_columns,
)

# s: colour differences of about this size (8-bit levels) halve the trust.
TRUST_SIGMA_LEVELS = 12.0
# Masks lose one pixel at their rim, and the trust is smoothed by a box of the same size.
MASK_WINDOW_PX = 3
SMOOTHING_WINDOW_PX = 3
# M_i where the flow is inconsistent and stays in the frame. Chosen by measurement: the steadier the
# higher, but with 1 flat areas, where any colour is right, are drawn out along wrong flow.
HIDDEN_TRUST = 0.6

# Chosen by measurement on three films in the bundled styles: as sharp as frame-by-frame painting,
# and a wrong first frame is forgotten (mean difference under one level) within 24 frames. 1.5 would
# be steadier by a fiftieth and softer by a twentieth.
DEFAULT_STRENGTH = 0.85
DEFAULT_SHARPEN = 1.7
# With sharpen = 1.7 no wave grows by more than 1.072: that is the maximum of
# (1 + 1.7 (x + y)) sqrt((1 - 2x) (1 - 2y)), at x = y = 0.103. Two histories meet as long as the
# product with the strength stays under 1, up to rounding, whose traces add up by 1 / (1 - product):
# at 0.88 they stay under two levels on the worst of pictures, white noise.
MAX_STRENGTH = 0.88

# Fixed point of the serial part: 7 bits after the point keep every product within 16 bits
# (255 * 128 for the mix, 2 * 510 * 24 for the deblurring).
_FRACTION_BITS = 7
_ONE = 1 << _FRACTION_BITS
_MAX_SHARPEN = 2.0

_SECOND_DIFFERENCE = np.array([-1.0, 2.0, -1.0], np.float32)
_IDENTITY = np.ones(1, np.float32)


def check_strength(strength: float) -> None:
    """Raises InputError unless 0 <= strength <= MAX_STRENGTH."""
    if not 0.0 <= strength <= MAX_STRENGTH:
        raise InputError(
            f"a temporal strength of {strength:g} is outside 0..{MAX_STRENGTH}: 0 paints frame by"
            f" frame, {DEFAULT_STRENGTH} is the default, and more than {MAX_STRENGTH} would never"
            " forget a mistake"
        )


def trust_gate(
    frame: np.ndarray,
    previous_frame: np.ndarray,
    backward: np.ndarray,
    reliable: np.ndarray,
    strength: float,
    wrap: bool = False,
) -> np.ndarray:
    """How much of the previous result each pixel keeps: g_i of the formula above.

    frame, previous_frame: f_i and f_{i-1}, (H, W, 3) uint8 RGB; backward: the flow from i to i-1,
    (H, W, 2) float32 pixels; reliable: the consistency mask of that flow, motion boundaries left
    in, (H, W) bool; strength: g_max; wrap: the left and right edge are one.
    Returns (H, W) float32 in [0, strength]. Raises InputError for a strength out of range.
    """
    check_strength(strength)
    positions = sampling_map(backward, wrap)
    moved = sample(previous_frame, positions, wrap=wrap).astype(np.float32)
    difference = cv2.subtract(frame, moved, dtype=cv2.CV_32F).reshape(frame.shape)
    error = np.square(difference, out=difference).mean(axis=2)
    gate = np.exp(error * np.float32(-0.5 / TRUST_SIGMA_LEVELS**2))
    # On a sphere nothing leaves the picture.
    doubtful = np.float32(HIDDEN_TRUST) * (np.float32(1) if wrap else inside_frame(positions))
    gate *= np.where(shrink(reliable, MASK_WINDOW_PX, wrap), np.float32(1), doubtful)
    gate *= np.float32(strength)
    window, reach = (SMOOTHING_WINDOW_PX,) * 2, SMOOTHING_WINDOW_PX // 2 if wrap else 0
    if wrap:
        gate = wrapped_columns(gate, reach, reach)
    smooth: np.ndarray = cv2.blur(gate, window, borderType=cv2.BORDER_REPLICATE)
    smooth = np.ascontiguousarray(smooth[:, reach : smooth.shape[1] - reach])
    return np.clip(smooth, 0.0, np.float32(strength), out=smooth)


@dataclass(frozen=True)
class TemporalStep:
    """What the serial part needs to know of one pair of frames; made by `plan_step`.

    positions: where the previous result is sampled, (H, W, 2) float32 pixels.
    gate: the trust in 128ths, rounded down, (H, W) int16.
    deblur_x, deblur_y: the factors of the second differences in 128ths, (H, W) int16.
    wrap: whether the left and right edge are one.
    """

    positions: np.ndarray
    gate: np.ndarray
    deblur_x: np.ndarray
    deblur_y: np.ndarray
    wrap: bool = False

    def apply(self, painted: np.ndarray, previous_output: np.ndarray) -> np.ndarray:
        """S_i from A_i and S_{i-1}.

        painted, previous_output: (H, W, 3) uint8 RGB, unchanged. Returns (H, W, 3) uint8 RGB.
        With B = the previous result sampled bilinearly, rounded to 8 bits, and Dx, Dy its second
        differences (-1, 2, -1), the border replicated, the arithmetic is, in whole numbers:
        W = clip(B + floor((deblur_x Dx + deblur_y Dy + 64) / 128), 0, 255)
        S = A + trunc(gate (W - A) / 128).
        Raises ValueError if a frame is not of the step's size.
        """
        finished = np.empty_like(painted)
        self.apply_rows(painted, previous_output, 0, len(self.gate), finished)
        return finished

    def apply_rows(
        self,
        painted: np.ndarray,
        previous_output: np.ndarray,
        first: int,
        stop: int,
        finished: np.ndarray,
    ) -> None:
        """As `apply`, the rows [first, stop) alone, into those of `finished`, (H, W, 3) uint8.

        Of `previous_output` the rows before `rows_needed` must be there.
        """
        expected = (*self.gate.shape, 3)
        for name, image in (("painted", painted), ("previous", previous_output)):
            if image.shape != expected or image.dtype != np.uint8:
                raise ValueError(
                    f"the {name} frame is {image.shape} {image.dtype}, not {expected} uint8"
                )
        rows = slice(first, stop)
        moved = self._moved(previous_output, first, stop)
        moved -= painted[rows]
        moved *= _on_channels(self.gate[rows])
        # An arithmetic shift rounds down; 127 more under a negative product makes it truncate.
        moved += (moved >> 15) & (_ONE - 1)
        moved >>= _FRACTION_BITS
        moved += painted[rows]
        np.copyto(finished[rows], moved, casting="unsafe")

    def rows_needed(self, first: int, stop: int) -> int:
        """Up to which row the previous result must be known for the rows [first, stop)."""
        height = len(self.gate)
        above, below = max(0, first - 1), min(height, stop + 1)
        # What no pixel keeps anything of may be anything; a pixel's deblurring takes its
        # neighbours' samples.
        keeps = np.zeros((below - above, self.gate.shape[1]), np.uint8)
        keeps[first - above : stop - above] = self.gate[first:stop] > 0
        keeps = cv2.dilate(keeps, np.ones((3, 3), np.uint8))
        if self.wrap:
            keeps[:, [0, -1]] = 1
        # cv2 takes the maximum under a mask many times as fast as numpy.
        lowest = cv2.minMaxLoc(np.ascontiguousarray(self.positions[above:below, :, 1]), mask=keeps)[
            1
        ]
        # 0 where nothing is kept.
        return min(height, max(0, math.floor(lowest) + 2))

    def _moved(self, previous_output: np.ndarray, first: int, stop: int) -> np.ndarray:
        """W of `apply` in the rows [first, stop): (rows, W, 3) int16 within 0..255."""
        above, below = max(0, first - 1), min(len(self.gate), stop + 1)
        rows, inner = slice(first, stop), slice(first - above, stop - above)
        around = sample(previous_output, self.positions[above:below], wrap=self.wrap)
        moved = around[inner]
        sharp = _second_difference(moved, _SECOND_DIFFERENCE, _IDENTITY, self.wrap)
        sharp *= _on_channels(self.deblur_x[rows])
        along_y = _second_difference(around, _IDENTITY, _SECOND_DIFFERENCE)[inner]
        along_y *= _on_channels(self.deblur_y[rows])
        sharp += along_y
        sharp += _ONE // 2
        sharp >>= _FRACTION_BITS
        sharp += moved
        return np.clip(sharp, 0, 255, out=sharp)


def plan_step(
    backward: np.ndarray, gate: np.ndarray, sharpen: float = DEFAULT_SHARPEN, wrap: bool = False
) -> TemporalStep:
    """Prepare the serial step of one pair of frames.

    backward: (H, W, 2) float32 pixels; gate: (H, W) float32, see `trust_gate`; sharpen: 0..2, see
    above; wrap: the left and right edge are one. Raises ValueError if the sizes differ or sharpen
    is out of range.
    """
    check_flow(backward)
    if gate.shape != backward.shape[:2]:
        raise ValueError(f"a gate of {gate.shape} does not fit a flow of {backward.shape}")
    if not 0.0 <= sharpen <= _MAX_SHARPEN:
        raise ValueError(f"sharpen is {sharpen:g}, not within 0..{_MAX_SHARPEN:g}")
    positions = sampling_map(backward, wrap)
    fraction = positions - np.floor(positions)
    # a (1 - a) / 2 in 128ths, rounded to nearest.
    factor = fraction * (1.0 - fraction) * np.float32(0.5 * sharpen * _ONE) + np.float32(0.5)
    return TemporalStep(
        positions=positions,
        gate=(gate * np.float32(_ONE)).astype(np.int16),
        deblur_x=factor[..., 0].astype(np.int16),
        deblur_y=factor[..., 1].astype(np.int16),
        wrap=wrap,
    )


def blend(
    painted: np.ndarray,
    previous_output: np.ndarray,
    backward: np.ndarray,
    gate: np.ndarray,
    sharpen: float = DEFAULT_SHARPEN,
) -> np.ndarray:
    """One step of the filter at once: `plan_step` and `TemporalStep.apply`."""
    return plan_step(backward, gate, sharpen).apply(painted, previous_output)


def _on_channels(plane: np.ndarray) -> np.ndarray:
    """(H, W) repeated for three channels, faster than NumPy's broadcasting over channels."""
    merged: np.ndarray = cv2.merge([plane, plane, plane])
    return merged


def _second_difference(
    image: np.ndarray, along_x: np.ndarray, along_y: np.ndarray, wrap: bool = False
) -> np.ndarray:
    """(H, W, 3) uint8 to int16, -510..510, the border replicated, or wrapped at left and right."""
    if wrap:
        image = wrapped_columns(image, 1, 1)
    filtered: np.ndarray = cv2.sepFilter2D(
        image, cv2.CV_16S, along_x, along_y, borderType=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(filtered[:, 1:-1]) if wrap else filtered
