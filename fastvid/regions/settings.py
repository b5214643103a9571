"""What is settled of the regions of a run: it travels to every rank and stands in the run file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

# Where things lie and what they are called is recorded for readers; what counts is their content.
_NAMES = ("mask", "style")


@dataclass(frozen=True)
class RegionSettings:
    """A region as it is painted.

    mask: as it was given, with label or colour; mask_sha256: of the content of its files. style: a
    name, a path, or "film"; style_sha256: of the checkpoint, empty for the film. strength: 0..1.
    invert, grow, feather, refine: as in `Region`, settled; pixels of the frames that are painted.
    """

    mask: str
    mask_sha256: str
    selector: str
    style: str
    style_sha256: str
    strength: float
    keep_colors: bool
    invert: bool
    grow: float
    feather: float
    refine: bool

    @classmethod
    def recorded(cls, facts: Mapping[str, Any]) -> Self:
        """From a table in a run file or a message."""
        return cls(**{field.name: facts[field.name] for field in fields(cls)})

    @property
    def name(self) -> str:
        """What it is called in results."""
        return f"{self.mask} {self.style}"

    def table(self) -> dict[str, Any]:
        """As it is recorded."""
        return asdict(self)


Tables = Sequence[Mapping[str, Any]]


def same_regions(recorded: Tables | None, wanted: Tables | None) -> bool:
    """Whether two lists of tables, or None, mean the same regions."""
    return _content(recorded) == _content(wanted)


def describe_change(recorded: Tables | None, wanted: Tables | None) -> str:
    """What changed between the regions of a run file and those that are wanted, in words."""
    recorded, wanted = recorded or (), wanted or ()
    if len(recorded) != len(wanted):
        return f"there were {len(recorded)} --region, there are {len(wanted)}"
    for old, new in zip(recorded, wanted, strict=True):
        name = f"--region {new['mask']}"
        for field, value in new.items():
            if field in _NAMES or old.get(field) == value:
                continue
            if field == "mask_sha256":
                return f"{name} is another"
            if field == "style_sha256":
                return f"{name} was {old['style']}, is {new['style']}, or another of that name"
            return f"{name}: {field.replace('_', '-')} was {old.get(field)}, is {value}"
    return "--region is another"


def _content(tables: Tables | None) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in table.items() if name not in _NAMES}
        for table in tables or ()
    ]
