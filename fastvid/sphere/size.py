"""The size at which spherical frames are painted.

Of a sphere about a quarter is looked at at a time: 90 degrees of the 180 from pole to pole. So its
strokes have the size that those of a flat film of half its height have.
"""

from fastvid.sphere.projection import Sphere
from fastvid.style.scale import painted_size

# Rows of a picture that are looked at at a time.
_SEEN_SHARE = 0.5
# Of the height and width of an eye that is not painted at its own size.
_SIZE_MULTIPLES = (4, 8)


def painted_size_of(
    sphere: Sphere | None, height: int, width: int, stroke: float
) -> tuple[int, int]:
    """The size, (height, width), at which frames of a film are painted before they are laid out, as
    `painted_size`: of eyes that can be laid out."""
    if sphere is None:
        return painted_size(height, width, stroke)
    eye = sphere.eye_size(height, width)
    wanted = painted_size(*eye, stroke, seen=_SEEN_SHARE * eye[0])
    if wanted == eye:
        return height, width
    across, along = (
        round(length / multiple) * multiple
        for length, multiple in zip(wanted, _SIZE_MULTIPLES, strict=True)
    )
    return height // eye[0] * across, width // eye[1] * along
