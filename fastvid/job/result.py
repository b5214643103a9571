"""What came of a job, and what the user is told of it."""

from dataclasses import dataclass, field
from pathlib import Path

from fastvid.job.progress import Progress


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    outputs, run_files: one a style, in the order of the styles. frames_continued: those that an
    earlier run had finished. seconds: wall clock. stage_seconds: computing time by stage, over all
    ranks.
    """

    outputs: tuple[Path, ...]
    run_files: tuple[Path, ...]
    frames: int
    frames_continued: int
    shots: int
    seconds: float
    stage_seconds: dict[str, float] = field(default_factory=dict)


def tell(result: JobResult, ranks: int, progress: Progress) -> None:
    """Tells the user what was done, how long it took, and where it lies."""
    fresh = result.frames - result.frames_continued
    rate = fresh / result.seconds if result.seconds > 0 else 0.0
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.stage_seconds.items())
    progress.say(
        f"{result.frames} frames in {result.shots} shots on "
        f"{'1 rank' if ranks == 1 else f'{ranks} ranks'} in "
        f"{result.seconds:.1f} s ({rate:.2f} frames/s)"
    )
    progress.say(f"computing time: {spent}")
    for output, run_file in zip(result.outputs, result.run_files, strict=True):
        progress.say(f"video:    {output}\nrun file: {run_file}")
