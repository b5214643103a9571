"""At which size a frame is painted."""

import pytest

from fastvid.style.scale import REFERENCE_SIDE_PX, painted_size, stroke_at_own_size


@pytest.mark.parametrize(
    ("height", "width"), [(16, 16), (272, 640), (360, 640), (400, 711), (640, 360)]
)
def test_small_films_are_painted_at_their_own_size(height: int, width: int) -> None:
    assert painted_size(height, width, 1.0) == (height, width)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (480, 854, (360, 640)),
        (720, 1280, (360, 640)),
        (1080, 1920, (360, 640)),
        (2160, 4096, (360, 683)),
        (1920, 1080, (640, 360)),  # a telephone held upright
    ],
)
def test_large_films_are_painted_at_the_reference(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    assert painted_size(height, width, 1.0) == expected


def test_strokes_have_one_size_relative_to_the_picture() -> None:
    """From 360 lines on, within 15 %."""
    for height in range(360, 2161, 24):
        painted, _ = painted_size(height, height * 16 // 9, 1.0)
        assert 1 / 1.15 <= painted / REFERENCE_SIDE_PX <= 1.15


@pytest.mark.parametrize(("height", "width"), [(272, 640), (1080, 1920)])
def test_twice_the_stroke_is_half_the_size(height: int, width: int) -> None:
    usual = painted_size(height, width, 1.0)
    for stroke in (0.5, 2.0, 4.0):
        painted = painted_size(height, width, stroke)
        assert painted == pytest.approx([side / stroke for side in usual], abs=1)


@pytest.mark.parametrize("height", [16, 48, 60, 180])
def test_not_smaller_than_a_network_needs(height: int) -> None:
    painted, _ = painted_size(height, 2 * height, 4.0)
    assert painted >= min(height, 45)


@pytest.mark.parametrize("size", [(48, 64), (460, 818), (480, 854), (1080, 1920), (4096, 2160)])
def test_the_stroke_with_which_a_film_is_painted_as_it_is(size: tuple[int, int]) -> None:
    assert painted_size(*size, stroke_at_own_size(*size)) == size
