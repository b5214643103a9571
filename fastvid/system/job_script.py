"""What rank 0 tells the script that has started the job (jobs/lib.sh): files that it is given."""

import os
from contextlib import suppress
from pathlib import Path

# Names a file for the exit status: a launcher may wait minutes for a host that is gone, when nobody
# works any more.
_LEFT_VARIABLE = "FASTVID_LEFT"
# Names a file that is written once every rank was heard of: until then nobody misses a rank.
_MET_VARIABLE = "FASTVID_MET"


def tell_left(status: int) -> None:
    """Rank 0 leaves with this exit status."""
    _tell(_LEFT_VARIABLE, str(status))


def tell_met() -> None:
    """All ranks were heard of."""
    _tell(_MET_VARIABLE, "1")


def _tell(variable: str, word: str) -> None:
    place = os.environ.get(variable)
    if place:
        with suppress(OSError):
            Path(place).write_text(f"{word}\n", encoding="ascii")
