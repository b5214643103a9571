"""What passes between decoding, painting and encoding: frames, and what is known of the video."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fastvid.decode.sphere_tags import SphereTags


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    index: position in the chosen part of the video, from 0, without gaps.
    image: (H, W, 3) uint8 RGB, C-contiguous, full range, square pixels, upright; behind red, green
        and blue, masks that go with the frame (`fastvid.regions.planes`), if there are any.
    pts, duration: presentation time stamp and duration in units of `VideoInfo.time_base`.
    checksum: of the image, for whoever decodes it again; None where nobody does.
    """

    index: int
    image: np.ndarray
    pts: int
    duration: int
    checksum: int | None = None


# The image of a frame of which only the facts are known here.
NO_IMAGE = np.empty((0, 0, 3), dtype=np.uint8)


@dataclass(frozen=True)
class ColorTags:
    """Colour description of a stream, by the code points of ITU-T H.273 (2 is "unspecified").

    full_range: True for 0..255 samples ("pc"), False for 16..235 ("tv").
    """

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool = False


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a source before its frames are decoded.

    width, height: of the frames that the source yields (after rotation, square pixels, --size).
    time_base: unit of every pts, seconds.
    average_rate: frames per second, for rate-dependent choices, never for timestamps.
    frame_count_estimate: what the header or the file's length suggests; headers lie, so it serves
        for progress and disk estimates alone. None where nothing is known.
    color: how the output is to be tagged.
    notes: what the user should be told (tone-mapped, deinterlaced, rotated, ...).
    full_chroma: whether each pixel of the source has its own colour.
    sphere: what the container says of a sphere or of two eyes; None: nothing.
    """

    path: str
    width: int
    height: int
    time_base: Fraction
    average_rate: Fraction
    frame_count_estimate: int | None
    color: ColorTags
    notes: tuple[str, ...] = ()
    full_chroma: bool = False
    sphere: SphereTags | None = None
