"""Where the pieces of one eye lie in the flat picture that it is laid out in.

[ north cap | band around the equator | south cap ], or of half a sphere, whose caps are halves:

    [ band | north ]
    [      | south ]
"""

import math
from dataclasses import dataclass

from fastvid.sphere.caps import Cap, Circle

# Where band and cap meet, and how far one reaches into the other on both sides.
MEETING_LATITUDE = math.radians(45)
BLEND = math.radians(4)
# Sides of pieces are multiples of what a network halves.
_MULTIPLE = 8


@dataclass(frozen=True)
class Margins:
    """What the pieces show beyond what counts of them, in pixels of the film.

    around: of the band, at the back. along: of band and caps, beyond the blend.
    """

    around: int
    along: int


@dataclass(frozen=True)
class Layout:
    """The pieces of an eye with these margins. All lengths are pixels."""

    circle: Circle
    margins: Margins

    @property
    def side(self) -> int:
        """The side of a cap, and the height of the band around the whole circle."""
        reach = BLEND * self.circle.density + self.margins.along
        wanted = math.ceil((self.circle.width / 4 + 2 * reach) / _MULTIPLE) * _MULTIPLE
        return min(wanted, self.circle.rows)

    @property
    def behind(self) -> int:
        """Rows of a half cap that lie behind its pole."""
        return min(self.margins.along, (self.circle.rows - self.side) // 2)

    @property
    def height(self) -> int:
        """The height of the picture, and of the band."""
        return self.side + (2 * self.behind if self.circle.half else 0)

    @property
    def width(self) -> int:
        """The width of the picture."""
        return self.band_width + self.side * (1 if self.circle.half else 2)

    @property
    def band_width(self) -> int:
        """The width of the band with its margins."""
        return self.circle.columns + 2 * self.margins.around

    @property
    def band_left(self) -> int:
        """The first column of the band, that of its margin."""
        return 0 if self.circle.half else self.side

    @property
    def band_top(self) -> int:
        """The row of the film that is the first one of the band."""
        return (self.circle.rows - self.height) // 2

    @property
    def band(self) -> tuple[slice, slice]:
        """Rows and columns of the band with its margins."""
        return slice(0, self.height), slice(self.band_left, self.band_left + self.band_width)

    @property
    def band_inside(self) -> tuple[slice, slice]:
        """The same without its margins at the back."""
        first = self.band_left + self.margins.around
        return slice(0, self.height), slice(first, first + self.circle.columns)

    @property
    def band_rows(self) -> slice:
        """The rows of the film that the band shows."""
        return slice(self.band_top, self.band_top + self.height)

    @property
    def caps(self) -> tuple[Cap, Cap]:
        """The north and the south cap."""
        side, density, centre = self.side, self.circle.density, (self.side - 1) / 2
        left = self.band_left + self.band_width
        if not self.circle.half:
            return (
                Cap(True, 0, 0, side, side, centre, centre, density),
                Cap(False, 0, left, side, side, centre, centre, density),
            )
        height = side // 2 + self.behind
        # The pole lies on the line between two rows: `behind` of them are behind it.
        return (
            Cap(True, 0, left, height, side, centre, self.behind - 0.5, density),
            Cap(False, height, left, height, side, centre, side // 2 - 0.5, density),
        )
