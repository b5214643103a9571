"""The parts of a run that is painted and could not be put together: where its frames were freed,
they are all that is left of them."""

from dataclasses import dataclass
from pathlib import Path

from fastvid.encode.encoded_parts import parts_in
from fastvid.encode.parts_label import PartsLabel
from fastvid.errors import InputError


@dataclass(frozen=True)
class KeptParts:
    """Parts that hold all frames of a run. encoding: how, as their label says it."""

    paths: tuple[Path, ...]
    encoding: str

    @property
    def codec(self) -> str:
        return self.encoding.split(" ")[0]

    @property
    def crf(self) -> float | None:
        crf = self.encoding.split(" ")[1]
        return None if crf == "None" else float(crf)

    @property
    def preset(self) -> str | None:
        preset = self.encoding.split(" ")[2]
        return None if preset == "None" else preset


def find_kept_parts(folder: Path, run: str, frame_count: int) -> KeptParts | None:
    """The parts in `folder`, if they are those of the run with the identity `run` and hold its
    frames [0, frame_count); None if not. Raises InputError if they can't be read."""
    try:
        label = PartsLabel.read(folder)
        if label is None or label.run != run:
            return None
        parts = parts_in(folder)
    except OSError as error:
        raise InputError(f"The parts in {folder} can't be read: {error.strerror}.") from error
    if not parts or parts[-1].stop != frame_count:
        return None
    return KeptParts(tuple(part.path for part in parts), label.encoding)
