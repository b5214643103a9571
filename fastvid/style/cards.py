"""Which styles there are: the bundled ones by name, others by path."""

import difflib
import json
import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from fastvid.errors import InputError

DEFAULT_STYLE = "starry_night"


@dataclass(frozen=True)
class StyleCard:
    """What is known of a bundled style; `training` says how it was trained, in one line or more."""

    name: str
    title: str
    painter: str
    year: str
    licence: str
    training: str
    path: str


@cache
def bundled_styles() -> tuple[StyleCard, ...]:
    """The styles in the package, the default first and then by name; read once."""
    folder = Path(str(resources.files("fastvid.style") / "bundled"))
    cards = [_read_card(path) for path in folder.glob("*.pt")]
    return tuple(sorted(cards, key=lambda card: (card.name != DEFAULT_STYLE, card.name)))


def find_style(name_or_path: str) -> str:
    """The path of a style's checkpoint; a bundled name wins over a file of that name.

    Raises InputError with the bundled names, and the closest of them, if there is no such style.
    """
    paths = {card.name: card.path for card in bundled_styles()}
    if name_or_path in paths:
        return paths[name_or_path]
    looks_like_path = os.sep in name_or_path or name_or_path.endswith((".pt", ".pth", ".t7"))
    if looks_like_path or os.path.isfile(name_or_path):
        return name_or_path
    close = difflib.get_close_matches(name_or_path.lower(), list(paths), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "or give the path of a checkpoint (.pt)."
    raise InputError(f"no style '{name_or_path}'; there are {', '.join(paths)}; {hint}")


def _read_card(path: Path) -> StyleCard:
    """The card beside a checkpoint; what a card leaves out is empty."""
    card_path = path.with_suffix(".json")
    card = json.loads(card_path.read_text(encoding="utf-8")) if card_path.is_file() else {}
    fields = ("title", "painter", "year", "licence", "training")
    texts = {field: str(card.get(field, "")) for field in fields}
    return StyleCard(name=path.stem, path=str(path), **texts)
