"""What a container says of a film that is more than a flat picture: sphere, pose, two eyes."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from fastvid.decode.orientation import side_data_of

EQUIRECT, CUBE_MAP = "equirect", "cubemap"
MONO, TOP_BOTTOM, LEFT_RIGHT = "mono", "top-bottom", "left-right"
# A quarter of the full circle, as bounds have it: 0.32 fixed point.
QUARTER = 1 << 30

# libavutil's AVSphericalMapping: projection; yaw, pitch, roll (16.16); bounds; padding.
_SPHERICAL = struct.Struct("=iiiiIIIII")
# The head of AVStereo3D: type, flags.
_STEREO = struct.Struct("=ii")
# By libavutil's numbers. 2 is an equirectangular picture with bounds; 3 is Apple's half of one.
_PROJECTIONS = {0: EQUIRECT, 1: CUBE_MAP, 2: EQUIRECT, 3: EQUIRECT}
_HALF = 3
_LAYOUTS = {1: LEFT_RIGHT, 2: TOP_BOTTOM}
_INVERTED = 1


@dataclass(frozen=True)
class SphereTags:
    """The tags of one film.

    projection: `equirect`, `cubemap`, or "" for a flat picture, which may still have two eyes.
    pose: yaw, pitch and roll in 65536ths of a degree. bounds: what is missing of the full picture
    at the left, top, right and bottom, in 2^-32 of its width or height. padding: of the faces of a
    cube map, pixels. stereo: `mono`, `top-bottom` or `left-right`; inverted: the right eye comes
    first.
    """

    projection: str = ""
    pose: tuple[int, int, int] = (0, 0, 0)
    bounds: tuple[int, int, int, int] = (0, 0, 0, 0)
    padding: int = 0
    stereo: str = MONO
    inverted: bool = False

    @property
    def is_half(self) -> bool:
        """Whether an equirectangular picture shows the front half of the sphere, as VR180 does."""
        return self.projection == EQUIRECT and self.bounds == (QUARTER, 0, QUARTER, 0)

    @property
    def is_whole(self) -> bool:
        """Whether an equirectangular picture shows the whole sphere."""
        return self.projection == EQUIRECT and not any(self.bounds)


def tags_from_table(table: Mapping[str, Any]) -> SphereTags:
    """The inverse of `dataclasses.asdict`, also after JSON. Raises KeyError, TypeError, ValueError
    or struct.error for another table."""
    yaw, pitch, roll = struct.unpack("=3i", struct.pack("=3i", *table["pose"]))
    bounds = struct.unpack("=4I", struct.pack("=4I", *table["bounds"]))
    (padding,) = struct.unpack("=I", struct.pack("=I", table["padding"]))
    projection, stereo = str(table["projection"]), str(table["stereo"])
    if projection not in ("", EQUIRECT, CUBE_MAP) or stereo not in (MONO, *_LAYOUTS.values()):
        raise ValueError(f"there is no projection {projection!r}, or no stereo {stereo!r}")
    inverted = bool(table["inverted"])
    return SphereTags(projection, (yaw, pitch, roll), _four(bounds), padding, stereo, inverted)


def sphere_tags(frame: VideoFrame) -> SphereTags | None:
    """What the container of a decoded frame says; None if that is a flat picture for one eye.

    Projections that libavutil knows and this program does not are left out.
    """
    stereo, inverted = MONO, False
    content = side_data_of(frame, Type.STEREO3D)
    if len(content) >= _STEREO.size:
        kind, flags = _STEREO.unpack_from(content)
        stereo = _LAYOUTS.get(kind, MONO)
        inverted = stereo != MONO and bool(flags & _INVERTED)
    content = side_data_of(frame, Type.SPHERICAL)
    if len(content) < _SPHERICAL.size:
        return None if stereo == MONO else SphereTags(stereo=stereo, inverted=inverted)
    number, yaw, pitch, roll, *bounds, padding = _SPHERICAL.unpack_from(content)
    if number not in _PROJECTIONS:
        return None if stereo == MONO else SphereTags(stereo=stereo, inverted=inverted)
    if number == _HALF:
        bounds = [QUARTER, 0, QUARTER, 0]
    return SphereTags(
        _PROJECTIONS[number], (yaw, pitch, roll), _four(bounds), padding, stereo, inverted
    )


def _four(bounds: Any) -> tuple[int, int, int, int]:
    left, top, right, bottom = bounds
    return left, top, right, bottom
