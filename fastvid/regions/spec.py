"""What a user says of a region: a mask, a style, and words for the rest."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fastvid.errors import InputError
from fastvid.system.forms import WordsForm, absolute, absolute_if_file

# The reserved style: what it "paints" is the film as it is.
FILM = "film"
WORDS = (
    "strength=0..1",
    "keep-colors",
    "no-keep-colors",
    "invert",
    "grow=PX",
    "feather=PX",
    "refine",
    "no-refine",
)
# Behind the path of a mask: a label, or a colour.
_SELECTOR = re.compile(r"(\d{1,5}|#[0-9a-fA-F]{6})")
_MAX_REACH_PX = 500.0


@dataclass(frozen=True)
class Region:
    """A part of the picture that is painted in its own way.

    mask: a folder of numbered images, a video, or one image for all frames; `:3` behind it chooses
    the label 3 of a picture of labels, `:#ff0000` a colour. style: a bundled style, a checkpoint,
    or "film" to leave the film. strength, keep_colors: None as the rest of the picture. invert:
    everything but the mask. grow: pixels by which the mask grows, or shrinks if negative. feather:
    pixels over which its edge is softened; None: 2 of 640 where masks are black and white, 0 where
    they have greys. refine: whether the edge follows the picture's; None: where masks are smaller
    than the film.
    """

    mask: str | Path
    style: str
    strength: float | None = None
    keep_colors: bool | None = None
    invert: bool = False
    grow: float = 0.0
    feather: float | None = None
    refine: bool | None = None

    def check(self) -> None:
        """Raises InputError for values out of range."""
        for name, value, low, high in (
            ("strength", self.strength, 0.0, 1.0),
            ("grow", self.grow, -_MAX_REACH_PX, _MAX_REACH_PX),
            ("feather", self.feather, 0.0, _MAX_REACH_PX),
        ):
            if value is not None and not low <= value <= high:
                raise InputError(
                    f"--region {self.mask}: {name}={value:g} is outside {low:g}..{high:g}."
                )

    @property
    def place(self) -> tuple[str, str]:
        """The path of the mask, and the label or colour that was chosen, empty if none was."""
        mask = str(self.mask)
        path, colon, selector = mask.rpartition(":")
        if colon and path and not os.path.exists(mask) and _SELECTOR.fullmatch(selector):
            return path, selector.lower()
        return mask, ""


def read_region(words: Sequence[str]) -> Region:
    """The region that the words behind --region say. Raises InputError for words that say none."""
    if len(words) < 2:
        raise InputError(
            f"--region {' '.join(words)}: takes a mask and a style, as in --region fox/ {FILM}."
        )
    mask, style, *rest = words
    region = Region(mask, style)
    for word in rest:
        region = _with_word(region, word)
    return region


def _with_word(region: Region, word: str) -> Region:
    """The region with what a word says."""
    name, equals, text = word.partition("=")
    if equals and name in ("strength", "grow", "feather"):
        number = _number(region, word, text)
        match name:
            case "strength":
                return replace(region, strength=number)
            case "grow":
                return replace(region, grow=number)
            case _:
                return replace(region, feather=number)
    match word:
        case "keep-colors" | "no-keep-colors":
            return replace(region, keep_colors=word == "keep-colors")
        case "refine" | "no-refine":
            return replace(region, refine=word == "refine")
        case "invert":
            return replace(region, invert=True)
    raise InputError(
        f"--region {region.mask}: {word} is unknown; behind mask and style may stand "
        f"{' '.join(WORDS)}. Input and options stand before --region, or after another option."
    )


def _number(region: Region, word: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"--region {region.mask}: {word}: {text!r} is not a number.")
    return number


def write_region(region: Region) -> list[str]:
    """The words of a region, paths made absolute."""
    path, selector = region.place
    mask = absolute(path) + (f":{selector}" if selector else "")
    words = [mask, absolute_if_file(region.style)]
    for name in ("strength", "grow", "feather"):
        value = getattr(region, name)
        if value is not None and (name != "grow" or value):
            words.append(f"{name}={value:g}")
    for switch, value in (("keep-colors", region.keep_colors), ("refine", region.refine)):
        if value is not None:
            words.append(switch if value else f"no-{switch}")
    return [*words, "invert"] if region.invert else words


REGION = WordsForm(read_region, write_region)
