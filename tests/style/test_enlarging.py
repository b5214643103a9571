"""A small painting at the size of its film: crisp strokes, edges and relief of the film, no halos.

Plain enlargement is what it is compared with.
"""

import cv2
import numpy as np
import pytest

from fastvid.style.enlarging import enlarge

SMALL, LARGE = (80, 60), (240, 180)


def shrunk(film: np.ndarray) -> np.ndarray:
    small: np.ndarray = cv2.resize(film, SMALL, interpolation=cv2.INTER_AREA)
    return small


def plain(painting: np.ndarray) -> np.ndarray:
    large: np.ndarray = cv2.resize(painting, LARGE, interpolation=cv2.INTER_CUBIC)
    return large


def grey(plane: np.ndarray) -> np.ndarray:
    return np.dstack([plane.astype(np.uint8)] * 3)


def discs() -> np.ndarray:
    """A film of sharp discs on a gradient, (180, 240, 3) uint8."""
    rows, columns = np.mgrid[0 : LARGE[1], 0 : LARGE[0]]
    film = np.dstack([60 + columns // 4, 80 + rows // 4, 90 + 0 * rows]).astype(np.uint8)
    for x, y, radius, level in ((60, 50, 30, 200), (160, 110, 45, 30), (80, 140, 22, 240)):
        cv2.circle(film, (x, y), radius, (level, level - 20, level), -1)
    return film


def error(picture: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(picture.astype(float) - wanted).mean())


def test_a_flat_painting_stays_flat() -> None:
    painting = np.full((60, 80, 3), (30, 120, 220), np.uint8)
    film = discs()
    result = enlarge(painting, film, shrunk(film))
    assert result.shape == film.shape and result.dtype == np.uint8
    assert (result == (30, 120, 220)).all()


@pytest.mark.parametrize("inverted", [False, True])
def test_edges_are_where_the_film_has_them(inverted: bool) -> None:
    """A style that leaves the film as it is, and one that inverts it: as near to the film itself
    as that small painting could not be."""
    film = discs()
    painting, wanted = shrunk(film), film
    if inverted:
        painting, wanted = 255 - painting, 255 - film
    result = enlarge(painting, film, shrunk(film))
    assert error(result, wanted) < 0.5 * error(plain(painting), wanted)


def test_a_stroke_that_the_film_lacks_becomes_crisp() -> None:
    """Half of the way from dark to light is gone within fewer pixels."""
    film = np.full((*LARGE[::-1], 3), 128, np.uint8)
    columns = np.tile(np.arange(SMALL[0]), (SMALL[1], 1))
    painting = grey(np.where(columns < 40, 60, 190))
    slope = [
        int(np.abs(np.diff(picture[90, :, 0].astype(int))).max())
        for picture in (enlarge(painting, film, shrunk(film)), plain(painting))
    ]
    assert slope[0] > 1.5 * slope[1]


def test_no_value_appears_that_is_not_nearby() -> None:
    """Nothing overshoots beyond what bicubic enlargement does: no halo along strokes."""
    film = np.full((*LARGE[::-1], 3), 128, np.uint8)
    painting = np.random.default_rng(0).integers(40, 216, (60, 80, 3)).astype(np.uint8)
    painting = cv2.GaussianBlur(painting, (0, 0), 1.0)
    bicubic = plain(painting)
    nearby = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    result = enlarge(painting, film, shrunk(film))
    assert (result <= cv2.dilate(bicubic, nearby)).all()
    assert (result >= cv2.erode(bicubic, nearby)).all()


def test_relief_comes_only_where_the_painting_follows_the_film() -> None:
    """Fine lines of the film stand in a painting that knows its lights and shadows, and not in one
    that has stripes of its own."""
    rows, columns = np.mgrid[0 : LARGE[1], 0 : LARGE[0]]
    lines = 12 * (columns % 2)
    film = grey(60 + rows // 2 + lines)
    small = shrunk(film)
    stripes = grey(np.where(np.arange(SMALL[0]) % 8 < 4, 100, 140) + np.zeros((SMALL[1], 1)))
    heights = [
        np.abs(np.diff(enlarge(painting, film, small)[30:150, 30:210, 0].astype(int), axis=1))
        for painting in (small, stripes)
    ]
    assert np.median(heights[0]) > 2 * np.median(heights[1])


def test_a_size_that_is_no_multiple() -> None:
    film = cv2.resize(discs(), (197, 131))
    painting = cv2.resize(film, (80, 53), interpolation=cv2.INTER_AREA)
    assert enlarge(painting, film, painting).shape == film.shape
