"""One eye of a spherical film laid out as one flat picture, the atlas, and gathered back.

The band is the film's own pixels, with its neighbours around the back as margins. The caps take the
place of what an equirectangular picture draws out near its poles. Below a latitude of 41 degrees
the band counts, above 49 the cap, and between them one goes over into the other. All maps depend on
the size alone; they are reckoned in double precision and rounded once.
"""

import cv2
import numpy as np

from fastvid.sphere.caps import CUBIC_REACH, Cap, over_the_edges
from fastvid.sphere.layout import BLEND, MEETING_LATITUDE, Layout


class Atlas:
    """The atlas of one eye, of the size that its layout says."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._caps = layout.caps
        self._cap_maps = [_cap_map(layout, cap) for cap in self._caps]
        latitudes = layout.circle.latitudes()
        # How many rows a cap has part in, and its part in them, from the pole on.
        self._rows = int((latitudes > MEETING_LATITUDE - BLEND).sum())
        self._share = _cap_share(latitudes[: self._rows]).astype(np.float32)
        self._gather_maps = [_gather_map(layout, cap, self._rows) for cap in self._caps]

    def lay_out(self, image: np.ndarray) -> np.ndarray:
        """(rows, columns, C) uint8 of the circle to (height, width, C) of the layout."""
        layout, channels = self.layout, image.shape[2]
        margin, half = layout.margins.around, layout.circle.half
        picture = np.empty((layout.height, layout.width, channels), np.uint8)
        border = cv2.BORDER_REFLECT if half else cv2.BORDER_WRAP
        band = cv2.copyMakeBorder(image[layout.band_rows], 0, 0, margin, margin, border)
        picture[layout.band] = band.reshape(*band.shape[:2], channels)
        continued = over_the_edges(image, half)
        for cap, positions in zip(self._caps, self._cap_maps, strict=True):
            picture[cap.place] = _sampled(continued, positions)
        return picture

    def gather(self, picture: np.ndarray) -> np.ndarray:
        """(height, width, C) uint8 of the layout to (rows, columns, C) of the circle."""
        layout = self.layout
        rows, columns = layout.circle.rows, layout.circle.columns
        image = np.empty((rows, columns, picture.shape[2]), np.uint8)
        image[layout.band_rows] = picture[layout.band_inside]
        for cap, positions in zip(self._caps, self._gather_maps, strict=True):
            sampled = _sampled(np.ascontiguousarray(picture[cap.place]), positions)
            if cap.north:
                self._blend(image[: self._rows], sampled)
            else:
                self._blend(image[: -self._rows - 1 : -1], sampled[::-1])
        return image

    def weights(self) -> np.ndarray:
        """The share of the sphere of each pixel of the layout, (height, width) float32: every
        direction counts once, margins not at all."""
        layout = self.layout
        circle = layout.circle
        weights = np.zeros((layout.height, layout.width))
        latitudes = circle.latitudes()[layout.band_rows]
        counted = np.cos(latitudes) * (1 - _cap_share(np.abs(latitudes)))
        weights[layout.band_inside] = counted[:, None]
        for cap in self._caps:
            longitude, latitude = cap.direction(*cap.pixels())
            # sin(a) / a, a being the distance from the pole.
            area = np.sinc(0.5 - np.abs(latitude) / np.pi)
            there = np.abs(longitude) <= (np.pi / 2 if circle.half else np.pi)
            weights[cap.place] = area * _cap_share(np.abs(latitude)) * there
        return weights.astype(np.float32)

    def _blend(self, rows: np.ndarray, cap: np.ndarray) -> None:
        """Lets a cap into the rows that it has part in, from its pole on, in place."""
        alone = int((self._share == 1).sum())
        share = self._share[alone:, None, None]
        rows[:alone] = cap[:alone]
        band = rows[alone:].astype(np.float32)
        rows[alone:] = np.rint(band + share * (cap[alone:] - band)).astype(np.uint8)


def _sampled(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8 at positions, by cubic kernels."""
    found: np.ndarray = cv2.remap(
        image, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return found.reshape(*positions.shape[:2], image.shape[2])


def _cap_share(latitude: np.ndarray) -> np.ndarray:
    """How much the cap counts at these distances from the equator, 0..1 (smoothstep)."""
    place = ((latitude - (MEETING_LATITUDE - BLEND)) / (2 * BLEND)).clip(0, 1)
    share: np.ndarray = place * place * (3 - 2 * place)
    return share


def _cap_map(layout: Layout, cap: Cap) -> np.ndarray:
    """Where the pixels of a cap are in the picture of `over_the_edges`, (h, w, 2) float32."""
    longitude, latitude = cap.direction(*cap.pixels())
    if layout.circle.half:
        longitude = _mirrored_to_the_front(longitude)
    x, y = layout.circle.position(longitude, latitude)
    return np.dstack([x + CUBIC_REACH, y + CUBIC_REACH]).astype(np.float32)


def _gather_map(layout: Layout, cap: Cap, count: int) -> np.ndarray:
    """Where the `count` rows of the circle next to a pole are in its cap, (count, columns, 2)
    float32."""
    latitudes = layout.circle.latitudes()
    latitudes = latitudes[:count] if cap.north else latitudes[-count:]
    x, y = cap.position(layout.circle.longitudes()[None, :], latitudes[:, None])
    return np.dstack([x, y]).astype(np.float32)


def _mirrored_to_the_front(longitude: np.ndarray) -> np.ndarray:
    """Longitudes of the back as those of the front that they mirror."""
    front: np.ndarray = np.where(
        np.abs(longitude) > np.pi / 2, np.sign(longitude) * np.pi - longitude, longitude
    )
    return front
