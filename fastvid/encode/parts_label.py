"""Whose parts lie in a folder, and how they were encoded: a small file among them."""

from dataclasses import dataclass
from pathlib import Path

from fastvid.encode.plan import OutputPlan
from fastvid.runfile.run_id import RunId
from fastvid.system.files import write_atomically

_NAME = "settings"
_RUN, _RUN_FILE = "run ", "run file "


@dataclass(frozen=True)
class PartsLabel:
    """What the file says.

    encoding: how the parts were encoded. run: the identity of their run, None for parts of a
    version that gave runs none. run_file: where that run gathers, if it is said.
    """

    encoding: str
    run: str | None
    run_file: Path | None = None

    @classmethod
    def of(cls, plan: OutputPlan, run: RunId) -> "PartsLabel":
        """The label of a run's parts."""
        encoding = (
            f"{plan.codec} {plan.crf} {plan.preset} {plan.width}x{plan.height} {plan.pix_fmt} "
            f"{plan.time_base}"
        )
        return cls(encoding, run.text, run.run_file)

    @classmethod
    def read(cls, folder: Path) -> "PartsLabel | None":
        """The label in a folder; None if there is none. Raises OSError."""
        try:
            text = (folder / _NAME).read_text(encoding="utf-8", errors="surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None
        encoding, *lines = text.split("\n", 2)
        run = _behind(_RUN, lines[0]) if lines else None
        run_file = _behind(_RUN_FILE, lines[1].removesuffix("\n")) if len(lines) > 1 else None
        return cls(encoding, run, Path(run_file) if run_file else None)

    def write(self, folder: Path) -> None:
        """Replaces the label in a folder, at once and durably. Raises StorageError."""
        text = f"{self.encoding}\n{_RUN}{self.run}\n{_RUN_FILE}{self.run_file}\n"
        write_atomically(folder / _NAME, text.encode("utf-8", errors="surrogateescape"))

    def same_parts(self, other: "PartsLabel") -> bool:
        """Whether parts with these labels may stand in one video. A run file may have moved."""
        return (self.encoding, self.run) == (other.encoding, other.run)


def is_label(path: Path) -> bool:
    """Whether this file of a folder is its label."""
    return path.name == _NAME


def _behind(word: str, line: str) -> str | None:
    return line.removeprefix(word) if line.startswith(word) else None
