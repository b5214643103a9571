"""Flow and masks of spherical films, estimated on pieces of the sphere.

Flow across the back of an equirectangular frame, and near its poles, can't be found in the frame
itself: things leave it on one side and enter it on the other, and turn around the poles. In the
band with its margins and in the caps they simply move.
"""

from collections.abc import Callable

import numpy as np

from fastvid.motion.source import MotionSource
from fastvid.motion.warp import sample
from fastvid.sphere.atlas import Atlas
from fastvid.sphere.caps import Cap, Circle
from fastvid.sphere.eye import Eye
from fastvid.sphere.layout import MEETING_LATITUDE, Layout, Margins
from fastvid.sphere.projection import Sphere

# What a thing may move between two frames and still be found: margins as shares of the circle, and
# at least so many pixels.
_AROUND_SHARE, _AROUND_PX = 1 / 64, 32
_ALONG_SHARE, _ALONG_PX = 1 / 96, 24

# Backward flow of a piece and where it is reliable, from its picture in both frames.
PieceMotion = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class SphereMotion:
    """A MotionSource for the frames of a spherical film. estimated: of its pieces.

    Flow is that of the frame itself: (dx, dy) in its pixels; dx takes the shorter way around, so
    that x + dx may lie beyond an edge of the eye and goes on at the other one.
    """

    def __init__(self, sphere: Sphere, estimated: MotionSource) -> None:
        self._sphere = sphere
        self._estimated = estimated
        self._size = (0, 0)
        self._pieces: _Pieces | None = None

    def __call__(
        self, frame: np.ndarray, previous: np.ndarray, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """See MotionSource."""
        height, width = frame.shape[:2]
        if self._pieces is None or self._size != (height, width):
            self._pieces = _Pieces(Eye(*self._sphere.eye_size(height, width), self._sphere.half))
            self._size = height, width
        found = [
            self._pieces.motion(now, before, lambda a, b: self._estimated(a, b, number))
            for now, before in zip(
                self._sphere.eyes(frame), self._sphere.eyes(previous), strict=True
            )
        ]
        return (
            self._sphere.joined([backward for backward, _ in found]),
            self._sphere.joined([reliable for _, reliable in found]),
        )


class _Pieces:
    """The pieces of one eye, and what their motions are in it."""

    def __init__(self, eye: Eye) -> None:
        circle = eye.circle
        around = max(_AROUND_PX, round(circle.width * _AROUND_SHARE))
        along = max(_ALONG_PX, round(circle.width * _ALONG_SHARE))
        self._eye = eye
        self._layout = Layout(circle, Margins(around, along))
        self._atlas = Atlas(self._layout)
        self._rows = int((circle.latitudes() > MEETING_LATITUDE).sum())
        self._caps = [_CapMotion(circle, cap, self._rows) for cap in self._layout.caps]

    def motion(
        self, image: np.ndarray, previous: np.ndarray, estimate: PieceMotion
    ) -> tuple[np.ndarray, np.ndarray]:
        """Backward flow of an eye, (H, W, 2) float32, and where it is reliable, (H, W) bool."""
        now, before = (
            self._atlas.lay_out(self._eye.in_true_shape(one)) for one in (image, previous)
        )
        circle, layout = self._layout.circle, self._layout
        backward = np.empty((circle.rows, circle.columns, 2), np.float32)
        reliable = np.empty((circle.rows, circle.columns), bool)
        flow, trusted = estimate(now[layout.band], before[layout.band])
        inside = (
            layout.band_inside[0],
            slice(layout.margins.around, layout.margins.around + circle.columns),
        )
        backward[layout.band_rows], reliable[layout.band_rows] = flow[inside], trusted[inside]
        for cap in self._caps:
            flow, trusted = estimate(now[cap.place], before[cap.place])
            cap.write(flow, trusted, backward, reliable)
        if circle.half:
            reliable &= _stays_in_front(backward)
        return self._eye.motion_in_frame(backward, reliable)


class _CapMotion:
    """What a cap says of the rows of the circle between its pole and the band."""

    def __init__(self, circle: Circle, cap: Cap, count: int) -> None:
        self.place = cap.place
        self._circle = circle
        self._cap = cap
        self._rows = slice(0, count) if cap.north else slice(circle.rows - count, circle.rows)
        latitudes = circle.latitudes()[self._rows]
        x, y = cap.position(circle.longitudes()[None, :], latitudes[:, None])
        self._positions = np.dstack([x, y]).astype(np.float32)

    def write(
        self, flow: np.ndarray, trusted: np.ndarray, backward: np.ndarray, reliable: np.ndarray
    ) -> None:
        """Writes flow and mask of the cap into those of the circle."""
        positions = self._positions
        reached = positions + sample(flow, positions)
        longitude, latitude = self._cap.direction(reached[..., 0], reached[..., 1])
        x, y = self._circle.position(longitude, latitude)
        rows = backward[self._rows]
        width = self._circle.width
        x -= np.arange(self._circle.columns, dtype=np.float32)
        # The shorter way around.
        rows[..., 0] = x - width * np.rint(x / width)
        rows[..., 1] = y - np.arange(self._rows.start, self._rows.stop, dtype=np.float32)[:, None]
        reliable[self._rows] = sample(trusted.view(np.uint8) * np.uint8(255), positions) >= 128


def _stays_in_front(backward: np.ndarray) -> np.ndarray:
    """Where flow of half a sphere does not lead into the back, which is not there: (H, W) bool."""
    columns = backward.shape[1]
    x = backward[..., 0] + np.arange(columns, dtype=np.float32)
    stays: np.ndarray = (x >= 0) & (x <= columns - 1)
    return stays
