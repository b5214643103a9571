"""Two looks that mix the painting with the film. Both act on the painted frame, before the temporal
filter, so that the filter steadies what the viewer sees. All frames are (H, W, 3) uint8 RGB."""

import numpy as np

# Luma of ITU-R BT.709 on the gamma-coded R'G'B' values, as video codecs use it.
LUMA_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)


def mix(painted: np.ndarray, frame: np.ndarray, strength: float) -> np.ndarray:
    """`strength` of the painting and the rest of the frame, rounded to nearest, 8 bit.

    1 gives the painting and 0 the frame, exactly. Raises ValueError for a strength outside 0..1.
    """
    _check_pair(painted, frame)
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be within 0..1, it is {strength}")
    if strength == 1:
        return painted
    share = np.float32(strength)
    mixed = share * painted + (np.float32(1) - share) * frame
    return np.rint(mixed).astype(np.uint8)


def keep_colors(painted: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """The luma of the painting with the chroma of the frame, in Y'CbCr of ITU-R BT.709.

    Y', Cb and Cr are linear in R'G'B', so that swapping Y' moves R', G' and B' by one and the same
    number. Where that leaves 0..255 the chroma is shrunk towards grey as far as needed: hue and
    luma stay.
    """
    _check_pair(painted, frame)
    luma = _luma(painted)[..., None]
    chroma = frame - _luma(frame)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(chroma > 0, (255 - luma) / chroma, luma / -chroma)
    room = np.where(chroma == 0, 1, room).min(axis=2, keepdims=True)
    shown: np.ndarray = np.rint(luma + chroma * room.clip(0, 1))
    return shown.clip(0, 255).astype(np.uint8)


def _luma(frame: np.ndarray) -> np.ndarray:
    """frame @ LUMA_WEIGHTS, (H, W), in one order on every machine: BLAS rounds as its number of
    threads has it."""
    red, green, blue = (frame[..., channel] * LUMA_WEIGHTS[channel] for channel in range(3))
    luma: np.ndarray = red + green + blue
    return luma


def _check_pair(painted: np.ndarray, frame: np.ndarray) -> None:
    if painted.shape != frame.shape or painted.dtype != np.uint8 or frame.dtype != np.uint8:
        raise ValueError(
            f"painting and frame must be uint8 of one shape, got {painted.dtype} {painted.shape} "
            f"and {frame.dtype} {frame.shape}"
        )
