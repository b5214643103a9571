"""Options of runs that are to be planned."""

from pathlib import Path
from typing import Any

from fastvid.job.options import StylizeOptions
from support.job_clips import Clip


def options_of(clip: Clip, style: Path, tmp_path: Path, **more: Any) -> StylizeOptions:
    """The options of a run over a clip in one style; more: any other of them."""
    return StylizeOptions(clip.path, tmp_path / "out.mkv", style=str(style), **more)
