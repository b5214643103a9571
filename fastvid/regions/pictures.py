"""What a decoded picture means as a mask.

Alpha where there is any, else the luma; or one label, or one colour, of a picture of labels. In all
cases the result is (h, w) uint8, 0 outside, 255 inside, at the size of the picture.
"""

from collections.abc import Callable

import numpy as np
from av.video.frame import VideoFrame

from fastvid.errors import InputError

# Encoders that lose something turn 0 and 255 into neighbours of them.
_LOSSY_LEVELS = 2
# Chroma, or a difference of red, green and blue, that is more than a coder's noise.
_COLORED_LEVELS = 24
# Labels are small numbers; a grey mask has brighter pixels somewhere.
_LABEL_LEVELS = 8

Reader = Callable[[VideoFrame, str], np.ndarray]


def choose_reader(picture: VideoFrame, selector: str) -> Reader:
    """How the pictures of a set of masks are read, by its first one.

    selector: a label like "3", a colour like "#ff0000", or empty. The reader takes a picture and
    what messages call it; it raises InputError for a picture that is no mask.
    """
    if selector.startswith("#"):
        color = np.array([int(selector[i : i + 2], 16) for i in (1, 3, 5)], np.int16)
        return lambda frame, name: _of_color(frame, color)
    if selector:
        label = int(selector)
        return lambda frame, name: _inside(_labels(frame, name) == label)
    return _alpha if _has_alpha(picture) and not _is_opaque_grey(picture) else _luma


def labels_in(picture: VideoFrame, name: str) -> set[int]:
    """The labels of a picture."""
    return set(np.unique(_labels(picture, name)).tolist())


def looks_like_labels(mask: np.ndarray) -> bool:
    """Whether a mask has pixels, all of which are so dark that they must be labels."""
    return 0 < int(mask.max(initial=0)) < _LABEL_LEVELS


def _inside(chosen: np.ndarray) -> np.ndarray:
    return np.where(chosen, np.uint8(255), np.uint8(0))


def _has_alpha(picture: VideoFrame) -> bool:
    parts = picture.format.components
    return picture.format.name != "pal8" and any(part.is_alpha for part in parts)


def _is_opaque_grey(picture: VideoFrame) -> bool:
    """Whether a picture has alpha that says nothing, over a grey picture that says something."""
    if _is_float(picture):
        rgba, opaque = picture.to_ndarray(), 1.0
    else:
        rgba, opaque = picture.reformat(format="rgba").to_ndarray(), 255.0
    grey = np.ptp(rgba[..., :3], axis=2)
    return bool((rgba[..., 3] == opaque).all() and not grey.any() and rgba[..., 0].std() > 0)


def _is_float(picture: VideoFrame) -> bool:
    return "f32" in picture.format.name or "f16" in picture.format.name


def _alpha(picture: VideoFrame, name: str) -> np.ndarray:
    if not _has_alpha(picture):
        raise InputError(f"{name}: has no alpha, unlike the first mask.")
    if _is_float(picture):
        return _levels(picture.to_ndarray()[..., 3], name)
    return np.ascontiguousarray(picture.reformat(format="rgba").to_ndarray()[..., 3])


def _luma(picture: VideoFrame, name: str) -> np.ndarray:
    if _is_float(picture):
        levels = picture.to_ndarray()
        if levels.ndim == 3:
            _check_grey(levels[..., :3] * 255, name)
            levels = levels[..., 0]
        return _levels(levels, name)
    if picture.format.name == "pal8":
        colors = _palette_colors(picture)
        _check_grey(colors, name)
        return np.ascontiguousarray(colors[..., 0])
    if picture.format.is_rgb:
        colors = picture.reformat(format="rgb24").to_ndarray()
        _check_grey(colors, name)
        return np.ascontiguousarray(colors[..., 1])
    grey = picture.reformat(format="gray", dst_color_range="JPEG").to_ndarray()
    if len(picture.format.components) > 2:
        _check_chroma(picture, name)
        return _snapped(grey)
    return np.ascontiguousarray(grey)


def _levels(values: np.ndarray, name: str) -> np.ndarray:
    """Numbers within 0..1 as levels."""
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise InputError(
            f"{name}: has numbers outside 0..1; a mask is 0 outside and 1 inside the region."
        )
    return np.rint(values * np.float32(255)).astype(np.uint8)


def _snapped(grey: np.ndarray) -> np.ndarray:
    """Black and white as they were before a coder that loses something."""
    table = np.arange(256, dtype=np.uint8)
    table[: _LOSSY_LEVELS + 1] = 0
    table[255 - _LOSSY_LEVELS :] = 255
    snapped: np.ndarray = table[grey]
    return snapped


def _check_grey(colors: np.ndarray, name: str) -> None:
    """Raises InputError if (h, w, 3) levels have colours."""
    spread = colors.max(axis=2).astype(np.int16) - colors.min(axis=2).astype(np.int16)
    if spread.max(initial=0) > _COLORED_LEVELS:
        raise _colored(name)


def _check_chroma(picture: VideoFrame, name: str) -> None:
    chroma = picture.reformat(format="yuv420p").to_ndarray()[picture.height :]
    if np.abs(chroma.astype(np.int16) - 128).max(initial=0) > _COLORED_LEVELS:
        raise _colored(name)


def _colored(name: str) -> InputError:
    return InputError(
        f"{name}: has colours; say which is meant, as in MASK:#ff0000, or which label, as in "
        "MASK:1."
    )


def _palette_colors(picture: VideoFrame) -> np.ndarray:
    """(h, w, 3) uint8 RGB of a picture with a palette."""
    indices, palette = picture.to_ndarray()
    colors: np.ndarray = palette[:, 1:4][indices]
    return colors


def _labels(picture: VideoFrame, name: str) -> np.ndarray:
    """The label of each pixel, (h, w): the index in the palette, or the grey value as it stands."""
    kind = picture.format.name
    if kind == "pal8":
        indices: np.ndarray = picture.to_ndarray()[0]
        return indices
    if kind.startswith(("gray16", "gray12", "gray10")):
        wide: np.ndarray = picture.reformat(format="gray16le").to_ndarray()
        return wide
    if kind.startswith("mono"):
        return _luma(picture, name) // 255
    if kind == "gray":
        plain: np.ndarray = picture.to_ndarray()
        return plain
    if _has_alpha(picture):
        colors = picture.reformat(format="rgba").to_ndarray()[..., :3]
        _check_grey(colors, name)
        return np.ascontiguousarray(colors[..., 0])
    return _luma(picture, name)


def _of_color(picture: VideoFrame, color: np.ndarray) -> np.ndarray:
    """Where a picture has a colour: exactly, or nearly where a coder has lost something."""
    if picture.format.name == "pal8":
        colors = _palette_colors(picture)
    else:
        colors = picture.reformat(format="rgb24").to_ndarray()
    exact = picture.format.is_rgb or picture.format.name == "pal8"
    distance = np.abs(colors.astype(np.int16) - color).max(axis=2)
    return _inside(distance <= (0 if exact else _COLORED_LEVELS))
