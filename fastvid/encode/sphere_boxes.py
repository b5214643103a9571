"""The tags of a spherical film as boxes of MP4 and MOV.

V2: `st3d` and `sv3d` in the sample entry; V1: a `uuid` box of XML in the track, which older players
and services read (Google, "Spherical Video RFC" and "Spherical Video V2 RFC").
"""

import struct

from fastvid.decode.sphere_tags import EQUIRECT, LEFT_RIGHT, MONO, TOP_BOTTOM, SphereTags
from fastvid.encode.mp4_boxes import TrackBoxes, box, full_box

_WRITER = b"fastvid\0"
_STEREO_V2 = {MONO: 0, TOP_BOTTOM: 1, LEFT_RIGHT: 2}
_V1_UUID = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")


def sphere_boxes(tags: SphereTags) -> TrackBoxes:
    """The boxes of a film's tags. That the right eye comes first has no place in them."""
    stereo = full_box(b"st3d", bytes([_STEREO_V2[tags.stereo]]))
    if not tags.projection:
        return TrackBoxes(entry=stereo)
    pose = full_box(b"prhd", struct.pack(">3i", *tags.pose))
    if tags.projection == EQUIRECT:
        left, top, right, bottom = tags.bounds
        picture = full_box(b"equi", struct.pack(">4I", top, bottom, left, right))
    else:
        picture = full_box(b"cbmp", struct.pack(">2I", 0, tags.padding))
    sphere = box(b"sv3d", full_box(b"svhd", _WRITER), box(b"proj", pose, picture))
    track = box(b"uuid", _V1_UUID, _v1_text(tags)) if tags.is_whole else b""
    return TrackBoxes(stereo + sphere, track)


def _v1_text(tags: SphereTags) -> bytes:
    """Spherical Video V1, which knows whole equirectangular pictures, and no pose."""
    facts = {
        "Spherical": "true",
        "Stitched": "true",
        "StitchingSoftware": "fastvid",
        "ProjectionType": "equirectangular",
    }
    if tags.stereo != MONO:
        facts["StereoMode"] = tags.stereo
    lines = "".join(
        f"<GSpherical:{name}>{value}</GSpherical:{name}>" for name, value in facts.items()
    )
    return (
        '<?xml version="1.0"?><rdf:SphericalVideo '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">{lines}'
        "</rdf:SphericalVideo>"
    ).encode("ascii")
