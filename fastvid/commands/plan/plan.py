"""`fastvid plan`: times a few frames here and foretells a job on other numbers of ranks."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fastvid.commands.plan.costs import Cluster, Dealing
from fastvid.commands.plan.forecast import (
    Forecast,
    best_value,
    forecast,
    own_cores,
    shared_cores,
    shot_lengths,
)
from fastvid.commands.plan.measure import Measurement, Stopwatch, measure_film
from fastvid.commands.plan.reading import own_reading
from fastvid.commands.plan.script import submission_script
from fastvid.decode.cuts import read_cuts
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.job.estimate import rank0_extra_bytes, rank_bytes, run_file_bytes
from fastvid.job.options import StylizeOptions
from fastvid.parallel.mpi.peer import Peer
from fastvid.parallel.mpi.waiting import LEADER_SLEEP_S
from fastvid.stages.settings import PictureSettings
from fastvid.system.resources import available_memory_bytes, free_disk_bytes, usable_cores

# What a job takes beside what is measured here: Python, MPI, joining the output.
_START_S = 1.5
# A frame between two hosts: 10 Gbit/s Ethernet, 8 of 10 of it used.
_NETWORK_BYTES_PER_S = 1e9
# More than others can be using while one thread is timed.
_BUSY_ABOVE = 1.3
MAX_RANKS = 4096


@dataclass(frozen=True)
class JobPlan:
    """What is known of a job before it is run.

    settings: of the stages. gpus: of this machine, 0 if the job paints on CPUs. recurrent: whether
    the models are. output: of the first style. decoded: for the numbers of ranks at which they read
    their own frames, how many they decode for each that they use. forecasts: ranks with cores of
    their own. here: the same on the cores of this machine. rank_bytes, rank0_bytes: memory.
    disk_bytes: the run files, None if the length is not known. notes: what the user should know.
    """

    frames: int
    size: tuple[int, int]
    settings: PictureSettings
    gpus: int
    recurrent: bool
    output: OutputPlan
    decoded: dict[int, float]
    cores_here: int
    measurement: Measurement
    start_s: float
    forecasts: tuple[Forecast, ...]
    here: tuple[Forecast, ...]
    rank_bytes: int
    rank0_bytes: int
    disk_bytes: int | None
    disk_free_bytes: int
    notes: tuple[str, ...]

    @property
    def threads(self) -> int:
        """Of a rank."""
        return self.settings.threads


def rank_counts(text: str) -> list[int]:
    """The numbers in a text like 4,16,64, in order, each once. Raises InputError."""
    counts = set()
    for part in text.split(","):
        if not (part.strip().isascii() and part.strip().isdigit()):
            raise InputError(
                f"--ranks {text}: {part.strip()!r} is not a number; give numbers of "
                "ranks like 4,16,64."
            )
        counts.add(int(part))
        if not 1 <= int(part) <= MAX_RANKS:
            raise InputError(f"--ranks {part} is outside 1..{MAX_RANKS}.")
    return sorted(counts)


def make_plan(options: StylizeOptions, ranks: Sequence[int]) -> JobPlan:
    """Opens the film, times some of its frames, and foretells the job for each number of ranks.

    Writes nothing but temporary files. Raises InputError for what the user can put right: whatever
    the run itself would refuse on this machine with one rank.
    """
    options.check()
    start = Stopwatch()
    with ExitStack() as stack:
        with start.timing("start"):
            # As in a run, loading torch is a part of the start.
            from fastvid.job.opening import open_job, settle
            from fastvid.parallel.setup import real_stages
            from fastvid.style.device import gpu_count

            job = open_job(options, stack)
            alone = Peer(0, socket.gethostname(), 1, available_memory_bytes(), os.getpid())
            settings = settle(job, [alone], stack).settings
            stages = real_stages(job.setup(settings, range(len(job.names))))
        source, info = job.source, job.source.info
        gpus = gpu_count(settings.device)
        decoded, notes = own_reading(options, source, ranks)
        measurement = measure_film(
            options, settings.threads, source, stages, job.plans[0], on_gpu=gpus > 0
        )
        frames = source.frame_count
    shots, about_shots = _shots(options, frames)
    notes += about_shots + _about_measuring(measurement, settings, gpus)
    start_s = _START_S + start.median("start")
    dealing = Dealing(
        options.segment_length,
        options.held_at_most(job.recurrent),
        LEADER_SLEEP_S + 3 * info.width * info.height / _NETWORK_BYTES_PER_S,
        overlap=options.stretches,
    )
    cores = usable_cores()

    def foretell(cluster_of: Callable[[int], Cluster]) -> tuple[Forecast, ...]:
        found = []
        for count in ranks:
            costs = measurement.costs
            if count in decoded:
                costs = costs.read_by_ranks(decoded[count], cuts_known=options.cuts != "auto")
            found.append(
                forecast(shots, costs, cluster_of(count), threads=settings.threads, start_s=start_s)
            )
        return tuple(found)

    each = rank_bytes(info, options, job.paint_bytes, job.recurrent)
    return JobPlan(
        frames=frames,
        size=(info.width, info.height),
        settings=settings,
        gpus=gpus,
        recurrent=job.recurrent,
        output=job.plans[0],
        decoded=decoded,
        cores_here=cores,
        measurement=measurement,
        start_s=start_s,
        forecasts=foretell(lambda count: own_cores(count, settings.threads, dealing)),
        here=foretell(lambda count: shared_cores(count, settings.threads, cores, dealing)),
        rank_bytes=each,
        rank0_bytes=each + rank0_extra_bytes(info, options),
        disk_bytes=run_file_bytes(info, options),
        disk_free_bytes=free_disk_bytes(options.run_path),
        notes=tuple(notes),
    )


def _about_measuring(measurement: Measurement, settings: PictureSettings, gpus: int) -> list[str]:
    """What the user should know of the machine that was measured on."""
    notes = []
    costs = measurement.costs
    if gpus:
        notes.append("reckoned with a GPU for each rank; where ranks share one they take turns")
        if costs.paint <= costs.motion:
            notes.append("the GPU waits for the flow: more --threads, or a faster --flow, help")
    elif measurement.waited > _BUSY_ABOVE and settings.threads == 1:
        notes.append(
            f"this machine was busy: the frames took {measurement.waited:.1f} times their "
            "processor time, which is what is reckoned with"
        )
    return notes


def _shots(options: StylizeOptions, frames: int) -> tuple[list[int], list[str]]:
    """The lengths of the shots, as far as they are known, and a note."""
    if options.cuts == "none":
        return [frames], []
    if options.cuts == "auto":
        return [frames], ["cuts are not looked for: reckoned as one shot, the hardest case"]
    return shot_lengths(frames, sorted(read_cuts(Path(options.cuts)))), []


def write_script(path: Path, plan: JobPlan, options: StylizeOptions, overwrite: bool) -> None:
    """Writes the submission script for the best value. Raises InputError if it can't be written or
    if there is a file already."""
    if path.exists() and not overwrite:
        raise InputError(
            f"{path} exists already. Use --overwrite to replace it, or another --script."
        )
    best, _ = best_value(plan.forecasts)
    jobs = Path(__file__).resolve().parents[3] / "jobs"
    text = submission_script(
        options,
        ranks=best.ranks,
        threads=plan.threads,
        gpus=plan.gpus,
        seconds=best.seconds,
        rank_bytes=plan.rank0_bytes,
        python=sys.executable,
        jobs=jobs if (jobs / "lib.sh").is_file() else None,
    )
    try:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror}.") from error
