"""The size of the frames that are painted: upright, square pixels, as --size asks."""

from fractions import Fraction

from fastvid.decode.container import MAX_PIXELS, MAX_SIDE
from fastvid.errors import InputError

# The networks halve the picture twice and pad it by reflection; below this little is left.
MIN_SIDE = 16
# A pixel aspect ratio beyond this is a broken header (anamorphic film has 2, VCDs up to 3).
_MAX_PIXEL_ASPECT = 10


def square_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Size with square pixels: the shorter direction is stretched, so that no detail is lost.

    pixel_aspect: width over height of one pixel, None or 0 if unknown. The stretched side is even.
    """
    if not pixel_aspect or pixel_aspect == 1:
        return width, height
    if not Fraction(1, _MAX_PIXEL_ASPECT) <= pixel_aspect <= _MAX_PIXEL_ASPECT:
        return width, height
    if pixel_aspect > 1:
        return _even(width * pixel_aspect), height
    return width, _even(height / pixel_aspect)


def _even(length: Fraction) -> int:
    return max(2, 2 * round(length / 2))


def working_size(
    path: str, width: int, height: int, size: tuple[int, int] | None
) -> tuple[int, int]:
    """The size that --size asks for, of an upright video of `width` x `height` square pixels.

    size: (w, h), one of them may be -1 and then keeps the aspect ratio (even); None: as it is.
    Raises InputError for sizes that are no sizes, too small or too large.
    """
    if size is None:
        result = width, height
        way_out = "--size makes it larger" if min(result) < MIN_SIDE else "--size makes it smaller"
    else:
        result = _requested(width, height, size)
        way_out = f"{path} has {width}x{height}"
    if min(result) < MIN_SIDE:
        raise InputError(
            f"a frame size of {result[0]}x{result[1]} is too small to paint, at least "
            f"{MIN_SIDE}x{MIN_SIDE} is needed; {way_out}"
        )
    if max(result) > MAX_SIDE or result[0] * result[1] > MAX_PIXELS:
        raise InputError(
            f"a frame size of {result[0]}x{result[1]} is too large, the limit is "
            f"{MAX_SIDE} a side and {MAX_PIXELS} pixels; {way_out}"
        )
    return result


def _requested(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    wide, high = size
    if wide == -1 and high > 0:
        return _even(Fraction(width * high, height)), high
    if high == -1 and wide > 0:
        return wide, _even(Fraction(height * wide, width))
    if wide > 0 and high > 0:
        return wide, high
    raise InputError(
        f"--size {wide}x{high}: both must be at least {MIN_SIDE}, or one of them -1 "
        "to keep the aspect ratio"
    )
