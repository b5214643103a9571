"""How visible the line at the back of a sphere is, where the edges of its pictures meet."""

from itertools import islice

import numpy as np

from fastvid.decode.source import VideoSource
from fastvid.errors import InputError
from fastvid.sphere.projection import Sphere

# Columns on each side of the seam whose differences are its neighbours.
_NEIGHBOURS = 8
# Flat pictures differ a good deal more from their left to their right edge than from column to
# column; nothing is said of frames without any contrast there.
_WRAPS_BELOW = 1.5
_LEAST_CONTRAST = 1.0
_FRAMES_LOOKED_AT = 4


def seam_jumps(image: np.ndarray) -> tuple[float, float]:
    """Mean difference of the first and the last column, and of neighbouring columns beside them.

    image: (H, W, 3) uint8 RGB, an eye of a whole sphere. In 8-bit levels.
    """
    around = np.concatenate([image[:, -_NEIGHBOURS:], image[:, :_NEIGHBOURS]], axis=1)
    steps = np.abs(np.diff(around.astype(np.int16), axis=1)).mean(axis=(0, 2))
    seam = _NEIGHBOURS - 1
    return float(steps[seam]), float(np.delete(steps, seam).mean())


def seam_ratio(frame: np.ndarray, sphere: Sphere) -> float | None:
    """How much greater the jump at the seam is than those beside it, over all eyes of a frame.

    None where there are no jumps at all.
    """
    jumps = np.array([seam_jumps(eye) for eye in sphere.eyes(frame)]).mean(axis=0)
    return float(jumps[0] / jumps[1]) if jumps[1] > 0 else None


def looks_like_a_sphere(source: VideoSource) -> bool:
    """Whether a film without tags has the shape of a whole sphere, and its frames wrap around.

    Decodes the first few frames of films of that shape.
    """
    info = source.info
    if info.sphere is not None or info.width != 2 * info.height:
        return False
    try:
        jumps = [seam_jumps(frame.image) for frame in islice(source, _FRAMES_LOOKED_AT)]
    except InputError:
        return False  # the run itself says what is wrong
    if not jumps:
        return False
    seam, beside = np.mean(jumps, axis=0)
    return bool(beside >= _LEAST_CONTRAST and seam < _WRAPS_BELOW * beside)
