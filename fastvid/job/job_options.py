"""The options of how the work is done, on which ranks and for how long. No picture depends on them,
but for `threads` and `device`, which `fastvid.stages.settings.PictureSettings` holds as settled."""

from dataclasses import dataclass
from pathlib import Path

from fastvid.job.progress import PROGRESS_MODES
from fastvid.parallel.logs import LOG_LEVELS
from fastvid.system.forms import COUNT, NUMBER, PATH
from fastvid.system.options import above, at_least, option

JOB = "the job"
# Small segments keep the wavefront tight (4 frames .99/.88 at 16/64 ranks, 8 frames .99/.81).
DEFAULT_SEGMENT_LENGTH = 4
# Segments that a rank may hold unfinished: what is painted ahead of the in-order temporal pass.
DEFAULT_LOOKAHEAD = 4
# From the warning to the end: less than Slurm's KillWait, which is 30 s as a rule.
DEFAULT_GRACE_S = 8.0
# A rank that is not heard of for so long is taken for dead.
DEFAULT_RANK_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How the work is done: by whom, in which order, and for how long."""

    threads: int | None = option(
        None,
        "threads of each rank (default: the cores that it has)",
        group=JOB,
        form=COUNT,
        metavar="N",
        check=at_least(1),
        in_script=False,
    )
    device: str = option(
        "auto",
        "paints on the CPU, or on the GPUs, which the ranks of a host share; auto: on GPUs if "
        "there are any (default: {default})",
        group=JOB,
        choices=("auto", "cpu", "cuda"),
        in_script=False,
    )
    decode: str = option(
        "auto",
        "rank0: rank 0 decodes for all; local: every rank reads its own frames from the input, "
        "which all must see; auto: that, for so many ranks that rank 0 could not keep up, where "
        "it can be exact (default: {default})",
        group=JOB,
        choices=("rank0", "local", "auto"),
    )
    stage_to: Path | None = option(
        None,
        "copies the input to this folder of each host that reads it, a disk of its own, and "
        "removes it afterwards",
        group=JOB,
        form=PATH,
        metavar="DIR",
    )
    segment_length: int = option(
        DEFAULT_SEGMENT_LENGTH,
        "frames dealt to a rank at a time, fewer towards the end of a film (default: {default})",
        group=JOB,
        metavar="N",
        check=at_least(1),
    )
    lookahead: int = option(
        DEFAULT_LOOKAHEAD,
        "unfinished segments that a rank may hold; with recurrent models four times as many, or "
        "two stretches (default: {default})",
        group=JOB,
        metavar="N",
        check=at_least(1),
    )
    restart: bool = option(False, "starts over instead of continuing the run file", group=JOB)
    time_limit: float | None = option(
        None,
        "stops in good order after so many seconds, with status 75: run me again",
        group=JOB,
        form=NUMBER,
        metavar="S",
        check=above(0, " seconds"),
    )
    grace: float = option(
        DEFAULT_GRACE_S,
        "leaves within so many seconds after SIGTERM, SIGUSR1 or the time limit "
        "(default: {default})",
        group=JOB,
        metavar="S",
        check=above(0, " seconds"),
    )
    rank_timeout: float = option(
        DEFAULT_RANK_TIMEOUT_S,
        "takes a rank for dead that is silent for so long (default: {default})",
        group=JOB,
        metavar="S",
        check=above(0, " seconds"),
    )
    log_dir: Path | None = option(
        None, "writes one log file a rank here", group=JOB, form=PATH, metavar="DIR"
    )
    log_level: str = option(
        "INFO", "of the log files (default: {default})", group=JOB, choices=LOG_LEVELS
    )
    progress: str = option(
        "auto",
        "a live bar, lines for a log, or none (default: {default})",
        group=JOB,
        choices=PROGRESS_MODES,
        in_script=False,
    )
