"""The regions of a run, opened and checked against the film before anything is written."""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from fastvid.decode.fingerprint import fingerprint
from fastvid.decode.source import VideoSource
from fastvid.errors import InputError
from fastvid.regions.masks import Masks, open_masks
from fastvid.regions.pictures import looks_like_labels
from fastvid.regions.planes import MaskPlace
from fastvid.regions.settings import RegionSettings
from fastvid.regions.spec import FILM, Region
from fastvid.style.loading import StyleFile, load_frame_model, read_style
from fastvid.style.model import StyleModel
from fastvid.system.forms import absolute_if_file

# The edge of a black and white mask is softened over so much, of a frame this wide.
DEFAULT_FEATHER_PX = 2.0
_FEATHER_WIDTH_PX = 640
# Masks are taken for smaller than the film below this share of its width.
_SMALLER = 0.95
_SHAPE_TOLERANCE = 0.01
# Times of a mask and its frame may differ by this share of the film's shortest frame.
_TIME_TOLERANCE = 0.5
_LABELS_NAMED = 10


@dataclass(frozen=True)
class OpenedRegion:
    """A region whose masks and style can be had.

    settings: what is settled of it. place: where every rank finds its masks. style: the checkpoint;
    model: in it, None for the film. note: what the user should know, or "".
    """

    settings: RegionSettings
    place: MaskPlace
    style: StyleFile
    model: StyleModel | None
    note: str


FILM_STYLE = StyleFile(FILM, b"")


def read_style_or_film(name: str) -> StyleFile:
    """A style, as `read_style`; the reserved name gives the film, which has no bytes."""
    return FILM_STYLE if name == FILM else read_style(name)


@dataclass(frozen=True)
class Usual:
    """What a region has that says nothing else: what the rest of the picture has."""

    strength: float
    film_colors: bool


def open_regions(
    regions: Sequence[Region], source: VideoSource, first_frame: int, usual: Usual
) -> tuple[OpenedRegion, ...]:
    """Opens what the regions name. first_frame: where the run begins in the film.

    Raises InputError for everything that the user can put right.
    """
    return tuple(_open(region, source, first_frame, usual) for region in regions)


def _open(region: Region, source: VideoSource, first_frame: int, usual: Usual) -> OpenedRegion:
    region.check()
    style = read_style_or_film(region.style)
    model = load_frame_model(style.data, region.style) if style.data else None
    path, selector = region.place
    with closing(open_masks(path, selector)) as masks:
        offset = _offset(region, masks, source, first_frame)
        _check_shape(region, masks, source)
        shown = _first_shown(region, masks, range(offset, offset + source.frame_count))
    width, refine, feather = source.info.width, region.refine, region.feather
    if refine is None:
        refine = masks.size[0] < _SMALLER * width
    if feather is None:
        feather = 0.0 if refine else _usual_feather(shown, width)
    settings = RegionSettings(
        mask=os.path.abspath(path) + (f":{selector}" if selector else ""),
        mask_sha256=_fingerprint(path),
        selector=selector,
        style=absolute_if_file(region.style),
        style_sha256=style.sha256 if style.data else "",
        strength=usual.strength if region.strength is None else region.strength,
        keep_colors=usual.film_colors if region.keep_colors is None else region.keep_colors,
        invert=region.invert,
        grow=region.grow,
        feather=feather,
        refine=refine,
    )
    place = MaskPlace(os.path.abspath(path), selector, offset, region.invert)
    note = "" if shown is not None else _empty_note(region)
    return OpenedRegion(settings, place, style, model, note)


def _fingerprint(path: str) -> str:
    try:
        return fingerprint(path)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}.") from error


def _usual_feather(mask: np.ndarray | None, width: int) -> float:
    """How soft the edge of a mask is made that nobody has said anything of: greys are left as they
    are."""
    if mask is None or not np.isin(mask, (0, 255)).all():
        return 0.0
    return round(DEFAULT_FEATHER_PX * width / _FEATHER_WIDTH_PX, 2)


def _empty_note(region: Region) -> str:
    if region.invert:
        return (
            f"--region {region.mask} is empty in every frame: its mask, which is inverted, is "
            "everywhere"
        )
    return f"--region {region.mask} is empty in every frame: nothing of it will be seen"


def _offset(region: Region, masks: Masks, source: VideoSource, first_frame: int) -> int:
    """The number of the mask of the first frame. Raises InputError unless there is one mask for
    every frame of the film, or for every frame that was chosen."""
    if masks.count is None:
        return 0
    whole, chosen = source.film_frame_count, source.frame_count
    if masks.count not in (whole, chosen):
        also = f", of which {chosen} were chosen" if chosen != whole else ""
        raise InputError(
            f"{region.mask} has {masks.count} masks, the film {whole} frames (0 to {whole - 1})"
            f"{also}; it takes one for each, or one image for all."
        )
    offset = first_frame if masks.count == whole else 0
    _check_times(region, masks, source, offset)
    return offset


def _check_times(region: Region, masks: Masks, source: VideoSource, offset: int) -> None:
    """Raises InputError if a video shows its masks at other times than the film its frames."""
    if masks.times is None:
        return
    pts = np.array([frame.pts for frame in source.promised_frames()], np.float64)
    film = (pts - pts[0]) * float(source.info.time_base)
    shown = masks.times[offset : offset + len(film)]
    shown = shown - shown[0]
    if len(film) < 2:
        return
    late = np.abs(film - shown) > _TIME_TOLERANCE * np.diff(film).min()
    if late.any():
        frame = int(np.flatnonzero(late)[0])
        raise InputError(
            f"{region.mask} has as many masks as the film has frames, but other times: frame "
            f"{frame} is shown at {film[frame]:.3f} s, its mask at {shown[frame]:.3f} s. A folder "
            "of images goes by number."
        )


def _check_shape(region: Region, masks: Masks, source: VideoSource) -> None:
    width, height = masks.size
    across, down = source.info.width, source.info.height
    expected = height * across / down
    # Sides are whole pixels: of small pictures that is more than the tolerance.
    if abs(width - expected) > max(_SHAPE_TOLERANCE * expected, across / down):
        raise InputError(
            f"{region.mask}: masks of {width}x{height} have another shape than frames of "
            f"{across}x{down}; another size of the same shape is scaled."
        )


def _first_shown(region: Region, masks: Masks, chosen: range) -> np.ndarray | None:
    """The first of the chosen masks in which the region has a pixel; None if it has none in any.

    Raises InputError if that is because its label or colour is in no mask at all, or if the masks
    turn out to be labels.
    """
    numbers = range(1) if masks.count is None else chosen
    for number in numbers:
        mask = masks.read(number)
        if not _is_selected(region) and looks_like_labels(mask):
            _refuse_labels(region, masks, number)
        if (mask < 255).any() if region.invert else mask.any():
            return mask
    if _is_selected(region) and not region.invert:
        _check_selector_is_there(region, masks, numbers)
    return None


def _is_selected(region: Region) -> bool:
    """Whether a label or a colour was chosen."""
    return bool(region.place[1])


def _refuse_labels(region: Region, masks: Masks, number: int) -> None:
    found = ", ".join(map(str, sorted(masks.labels(number))))
    raise InputError(
        f"{masks.name(number)}: has the levels {found} of 255, as pictures of labels have; say "
        f"which label is meant, as in {region.mask}:1."
    )


def _check_selector_is_there(region: Region, masks: Masks, looked_at: range) -> None:
    path, selector = region.place
    others = range(masks.count or 1)
    for number in others:
        if number not in looked_at and masks.read(number).any():
            return
    if selector.startswith("#"):
        raise InputError(f"{region.mask}: no mask has the colour {selector}.")
    found = set[int]()
    for number in others:
        found |= masks.labels(number)
    named = [str(label) for label in sorted(found)[:_LABELS_NAMED]]
    more = f" and {len(found) - len(named)} more" if len(found) > len(named) else ""
    raise InputError(f"{path}: no mask has label {selector}; there are {', '.join(named)}{more}.")
