"""What a film is: flat, or a sphere or half of one, for one eye or two; by its tags and options."""

import shlex
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from fastvid.decode.frame import VideoInfo
from fastvid.decode.sphere_tags import (
    EQUIRECT,
    LEFT_RIGHT,
    MONO,
    QUARTER,
    TOP_BOTTOM,
    SphereTags,
)
from fastvid.errors import InputError

AUTO, FLAT, HALF_EQUIRECT = "auto", "flat", "half-equirect"
PROJECTIONS = (AUTO, FLAT, EQUIRECT, HALF_EQUIRECT)
STEREO = (AUTO, MONO, TOP_BOTTOM, LEFT_RIGHT)

# An eye of the whole sphere is twice as wide as it is high, of the front half as wide. What comes
# close was squeezed to a size that some player wants, and is one all the same.
_MOST_SQUEEZED = 2
# Below this the blend of band and caps would be all there is.
_SMALLEST_WIDTH = 128


@dataclass(frozen=True)
class Sphere:
    """What the frames of a run show. projection: `equirect` or `half-equirect`. stereo: `mono`,
    `top-bottom` or `left-right`."""

    projection: str
    stereo: str = MONO

    @property
    def half(self) -> bool:
        """Whether only the front half is there."""
        return self.projection == HALF_EQUIRECT

    @property
    def wraps(self) -> bool:
        """Whether the left and the right edge of an eye are one."""
        return not self.half

    @property
    def eye_count(self) -> int:
        """How many eyes a frame shows."""
        return 1 if self.stereo == MONO else 2

    def eye_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of an eye in frames of this size."""
        return (
            height // 2 if self.stereo == TOP_BOTTOM else height,
            width // 2 if self.stereo == LEFT_RIGHT else width,
        )

    def eyes(self, frame: np.ndarray) -> list[np.ndarray]:
        """Views of the eyes of a frame, (H, W, ...), the first one first."""
        if self.stereo == TOP_BOTTOM:
            return list(np.split(frame, 2, axis=0))
        if self.stereo == LEFT_RIGHT:
            return list(np.split(frame, 2, axis=1))
        return [frame]

    def joined(self, eyes: list[np.ndarray]) -> np.ndarray:
        """The frame of these eyes: the inverse of `eyes`."""
        if len(eyes) == 1:
            return eyes[0]
        return np.concatenate(eyes, axis=0 if self.stereo == TOP_BOTTOM else 1)

    def tags(self, found: SphereTags | None) -> SphereTags:
        """The tags of the output. found: those of the input, whose pose and padding stay."""
        bounds = (QUARTER, 0, QUARTER, 0) if self.half else (0, 0, 0, 0)
        tags = found or SphereTags()
        inverted = tags.inverted and tags.stereo == self.stereo
        return replace(
            tags, projection=EQUIRECT, bounds=bounds, stereo=self.stereo, inverted=inverted
        )


def settle_sphere(
    info: VideoInfo, projection: str, stereo: str, film: str
) -> tuple[Sphere | None, list[str]]:
    """What the frames of a film are taken for, None for a flat picture; and notes for the user.

    projection, stereo: as --projection and --stereo have them. film: its name. Raises InputError
    where they do not go together, or with the size, and for a cube map that is not said to be flat.
    """
    tags = info.sphere
    chosen, notes = _by_tags(tags, film) if projection == AUTO else (projection, [])
    if chosen == FLAT:
        if stereo != AUTO:
            raise InputError(
                f"--stereo {stereo} is for a sphere: say --projection equirect or half-equirect, "
                "or leave it out."
            )
        return None, notes
    layout = stereo
    if stereo == AUTO:
        layout = tags.stereo if tags is not None else MONO
    sphere = Sphere(chosen, layout)
    try:
        _check_size(info, sphere)
    except InputError as error:
        if projection != AUTO:
            raise
        return None, [f"{error} It is painted as a flat picture.".replace("\n", " ")]
    return sphere, notes


def _by_tags(tags: SphereTags | None, film: str) -> tuple[str, list[str]]:
    if tags is None or not tags.projection:
        return FLAT, []
    if tags.is_half:
        return HALF_EQUIRECT, []
    if tags.is_whole:
        return EQUIRECT, []
    if tags.projection == EQUIRECT:
        return FLAT, [
            "part of a sphere, which is painted as a flat picture, so that its edges show; bring "
            "it to a whole one first"
        ]
    name = shlex.quote(film)
    raise InputError(
        f"{film} is a cube map: painted as a flat picture, the edges of its faces would show.\n"
        f"`ffmpeg -i {name} -vf v360=c3x2:e -c:a copy equirect.mp4` makes an equirectangular film "
        "of it (of an equi-angular one v360=eac:e); paint that with --projection equirect, and "
        "bring the result back with v360=e:c3x2 (v360=e:eac). Or say --projection flat."
    )


def _check_size(info: VideoInfo, sphere: Sphere) -> None:
    """Raises InputError unless the eyes of the frames can be spheres."""
    size = f"frames of {info.width}x{info.height}"
    across, along = info.width, info.height
    if (sphere.stereo == LEFT_RIGHT and across % 2) or (sphere.stereo == TOP_BOTTOM and along % 2):
        raise InputError(f"{size} can't be halved for two eyes.\nChoose an even --size.")
    height, width = sphere.eye_size(along, across)
    squeezed = Fraction(width, height * (1 if sphere.half else 2))
    if not Fraction(1, _MOST_SQUEEZED) < squeezed < _MOST_SQUEEZED:
        shape = "1:1" if sphere.half else "2:1"
        raise InputError(
            f"{size} do not show {sphere.projection}, {sphere.stereo}: an eye of it is {shape}, "
            f"these are {width}x{height}.\nSay what it is with --projection and --stereo, or "
            "choose another --size."
        )
    least = _SMALLEST_WIDTH // 2 if sphere.half else _SMALLEST_WIDTH
    if width < least or height < _SMALLEST_WIDTH // 2:
        raise InputError(
            f"{size} are too small for a sphere, an eye needs {least}x{_SMALLEST_WIDTH // 2}.\n"
            "--size makes them larger, --projection flat paints them as a flat picture."
        )
