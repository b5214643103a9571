"""`fastvid plan`: times a few frames here and foretells a job on other numbers of ranks."""

import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastvid.commands.plan.costs import Cluster, Dealing, FrameCosts
from fastvid.commands.plan.forecast import (
    Forecast,
    forecast,
    own_cores,
    shared_cores,
    shot_lengths,
)
from fastvid.commands.plan.measure import Measurement, measure_film
from fastvid.commands.plan.reading import own_reading
from fastvid.commands.plan.stage_times import StageTimes
from fastvid.decode.cuts import read_cuts
from fastvid.encode.encoded_parts import part_frames_of
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.job.estimate import encoder_bytes, rank0_extra_bytes, rank_bytes, run_file_bytes
from fastvid.job.options import StylizeOptions
from fastvid.parallel.engine.bands import band_stops
from fastvid.parallel.mpi.peer import Peer
from fastvid.parallel.mpi.waiting import LEADER_SLEEP_S
from fastvid.stages.settings import PictureSettings
from fastvid.system.resources import available_memory_bytes, free_disk_bytes, usable_cores

if TYPE_CHECKING:
    from fastvid.job.opening import OpenedJob
    from fastvid.stages.interface import Stages

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
    start = StageTimes()
    with ExitStack() as stack:
        with start.timing("start"):
            job, settings, stages = _open(options, stack)
        gpus = _gpus(settings)
        decoded, notes = own_reading(options, job.source, ranks)
        output = job.styles[0].plan
        planes = job.setup(settings, job.styles).planes()
        measurement = measure_film(
            options, settings.threads, job.source, stages, output, gpus > 0, planes
        )
        info, frames = job.source.info, job.source.frame_count
    shots, about_shots = _shots(options, frames)
    start_s = _START_S + start.median("start")
    reckoning = _Reckoning(
        shots, measurement.costs, settings.threads, start_s, decoded, options.cuts != "auto"
    )
    bands = 1 if job.recurrent else len(band_stops(info.height, info.width))
    dealing = _dealing(options, job.recurrent, info.width * info.height, frames, bands)
    cores = usable_cores()
    each = rank_bytes(info, options, job.paint_bytes, job.recurrent)
    # Ranks without room for an encoder would do without.
    encoding = 0 if output.is_folder else encoder_bytes(info)
    return JobPlan(
        frames=frames,
        size=(info.width, info.height),
        settings=settings,
        gpus=gpus,
        recurrent=job.recurrent,
        output=output,
        decoded=decoded,
        cores_here=cores,
        measurement=measurement,
        start_s=start_s,
        forecasts=reckoning.forecasts(own_cores(n, settings.threads, dealing) for n in ranks),
        here=reckoning.forecasts(shared_cores(n, settings.threads, cores, dealing) for n in ranks),
        rank_bytes=each + encoding,
        rank0_bytes=each + rank0_extra_bytes(info, options),
        disk_bytes=run_file_bytes(info, options),
        disk_free_bytes=free_disk_bytes(options.run_path),
        notes=(*job.notes, *notes, *about_shots, *_about_measuring(measurement, settings, gpus)),
    )


def _open(
    options: StylizeOptions, stack: ExitStack
) -> "tuple[OpenedJob, PictureSettings, Stages[Any]]":
    """The job as one rank on this machine opens it, and its stages."""
    # As in a run, loading torch is a part of the start, which is timed.
    from fastvid.job.opening import open_job, settle
    from fastvid.parallel.setup import real_stages

    # What is timed is not copied; the run would.
    job = open_job(replace(options, stage_to=None), stack)
    alone = Peer(0, socket.gethostname(), 1, available_memory_bytes(), os.getpid())
    settings = settle(job, [alone], stack).settings
    return job, settings, real_stages(job.setup(settings, job.styles))


def _gpus(settings: PictureSettings) -> int:
    """GPUs of this machine that the job paints on, 0 if it paints on the CPU."""
    from fastvid.style.device import gpu_count

    return gpu_count(settings.device)


def _dealing(
    options: StylizeOptions, recurrent: bool, pixels: int, frames: int, bands: int
) -> Dealing:
    """How segments are dealt, and what a frame takes from one rank to another."""
    return Dealing(
        options.segment_length,
        options.held_at_most(recurrent),
        LEADER_SLEEP_S + 3 * pixels / bands / _NETWORK_BYTES_PER_S,
        overlap=options.stretches,
        part_frames=part_frames_of(frames),
        bands=bands,
    )


@dataclass(frozen=True)
class _Reckoning:
    """What a job is reckoned from. shots: the lengths of them. decoded: as in `JobPlan`."""

    shots: Sequence[int]
    costs: FrameCosts
    threads: int
    start_s: float
    decoded: dict[int, float]
    cuts_known: bool

    def forecasts(self, clusters: Iterable[Cluster]) -> tuple[Forecast, ...]:
        """The job on each of these."""
        return tuple(
            forecast(
                self.shots,
                self._costs_on(cluster.ranks),
                cluster,
                threads=self.threads,
                start_s=self.start_s,
            )
            for cluster in clusters
        )

    def _costs_on(self, ranks: int) -> FrameCosts:
        if ranks not in self.decoded:
            return self.costs
        return self.costs.read_by_ranks(self.decoded[ranks], cuts_known=self.cuts_known)


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
