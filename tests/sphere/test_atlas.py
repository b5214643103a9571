"""A sphere laid out flat and gathered back: nothing is lost, moved, or counted twice."""

import numpy as np
import pytest

from fastvid.sphere.atlas import Atlas
from fastvid.sphere.caps import Circle
from fastvid.sphere.eye import Eye
from fastvid.sphere.layout import Layout, Margins
from fastvid.sphere.projection import Sphere

BAND_DEGREES = 41


def smooth(circle: Circle) -> np.ndarray:
    """A picture that is smooth in angle, the poles and the back included: (rows, columns, 3)."""
    latitude, longitude = circle.latitudes()[:, None], circle.longitudes()[None, :]
    right, front = np.cos(latitude) * np.sin(longitude), np.cos(latitude) * np.cos(longitude)
    up = np.sin(latitude) + 0 * longitude
    waves = [np.sin(5 * right + 3 * front), np.cos(6 * up * right), np.sin(4 * up + 5 * front)]
    picture: np.ndarray = np.rint(127 + 100 * np.dstack(waves)).astype(np.uint8)
    return picture


def near_the_poles(circle: Circle) -> np.ndarray:
    """Which rows do not lie in the band alone."""
    rows: np.ndarray = np.abs(np.degrees(circle.latitudes())) > BAND_DEGREES
    return rows


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("width", "margins"), [(256, (52, 16)), (512, (24, 40)), (1000, (0, 0))])
def test_laid_out_and_gathered(width: int, margins: tuple[int, int], half: bool) -> None:
    circle = Circle(width, half)
    image = smooth(circle)
    atlas = Atlas(Layout(circle, Margins(*margins)))
    picture = atlas.lay_out(image)
    assert picture.shape == (atlas.layout.height, atlas.layout.width, 3)
    back = atlas.gather(picture)
    poles = near_the_poles(circle)
    np.testing.assert_array_equal(back[~poles], image[~poles])
    apart = np.abs(back[poles].astype(int) - image[poles])
    assert apart.mean() < 0.5 and apart.max() <= (10 if half else 3)


@pytest.mark.parametrize("half", [False, True])
def test_every_direction_counts_once(half: bool) -> None:
    circle = Circle(512, half)
    weights = Atlas(Layout(circle, Margins(40, 16))).weights()
    sphere = (2 if half else 4) * np.pi * circle.density**2
    assert weights.sum(dtype=np.float64) == pytest.approx(sphere, rel=1e-4)
    atlas = Atlas(Layout(circle, Margins(40, 16)))
    up = np.sin(circle.latitudes())[:, None, None] * np.ones((1, circle.columns, 1))
    laid_out = atlas.lay_out(np.rint(127.5 + 127.5 * up).astype(np.uint8))[..., 0]
    # As much of the north as of the south.
    assert np.average(laid_out, weights=weights) == pytest.approx(127.5, abs=0.1)


def test_a_cap_is_seen_from_within() -> None:
    """What is right of the front in the film is right of it in both caps, and the edge of a cap
    towards the front faces the band."""
    circle = Circle(256, half=False)
    for cap in Layout(circle, Margins(16, 8)).caps:
        latitude = np.array([0.9, 0.9, 0.8]) * (1 if cap.north else -1)
        longitudes = np.array([0.0, 0.3, 0.0])
        x, y = cap.position(longitudes, latitude)
        front, right, lower = x
        assert front == pytest.approx(lower) and right > front
        assert (y[2] > y[0]) == cap.north
        np.testing.assert_allclose(cap.direction(x, y), (longitudes, latitude), atol=1e-9)


def test_an_eye_in_true_shape_is_kept_and_a_squeezed_one_comes_back() -> None:
    image = smooth(Circle(256, half=False))
    eye = Eye(128, 256, half=False)
    assert eye.in_true_shape(image) is image and eye.circle == Circle(256, half=False)
    squeezed = image[::2]
    eye = Eye(64, 256, half=False)
    shaped = eye.in_true_shape(squeezed)
    assert shaped.shape[1] == 2 * shaped.shape[0] and shaped.shape[1] % 8 == 0
    apart = np.abs(eye.in_frame(shaped).astype(int) - squeezed)
    assert apart.mean() < 0.5


@pytest.mark.parametrize("stereo", ["mono", "top-bottom", "left-right"])
def test_eyes_are_parts_of_a_frame(stereo: str) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)
    sphere = Sphere("equirect", stereo)
    eyes = sphere.eyes(frame)
    assert all(eye.shape[:2] == sphere.eye_size(8, 12) for eye in eyes)
    np.testing.assert_array_equal(sphere.joined(eyes), frame)
