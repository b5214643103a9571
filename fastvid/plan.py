"""`fastvid plan`: times a few frames here and foretells a job on other numbers of ranks."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastvid.errors import InputError
from fastvid.estimate import rank0_extra_bytes, rank_bytes, run_file_bytes
from fastvid.options import StylizeOptions
from fastvid.parallel.communicator import LEADER_SLEEP_S
from fastvid.planning.costs import Cluster, Dealing, FrameCosts
from fastvid.planning.forecast import (Forecast, best_value, forecast, own_cores, shared_cores,
                                       shot_lengths)
from fastvid.planning.measure import Measurement, Stopwatch, measure_film, picture_settings
from fastvid.planning.script import submission_script
from fastvid.resources import (free_disk_bytes, human_bytes, human_seconds, processor_name,
                               usable_cores)
from fastvid.video.cuts import read_cuts
from fastvid.video.decode import fingerprint, open_source
from fastvid.video.encode import plan_output

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

    forecasts: ranks with cores of their own. here: the same on the cores of this machine.
    rank_bytes, rank0_bytes: memory. disk_bytes: the run files, None if the length is not known.
    notes: what the user should know.
    """

    frames: int
    size: tuple[int, int]
    threads: int
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


def rank_counts(text: str) -> list[int]:
    """The numbers in a text like 4,16,64, in order, each once. Raises InputError."""
    counts = set()
    for part in text.split(","):
        if not (part.strip().isascii() and part.strip().isdigit()):
            raise InputError(f"--ranks {text}: {part.strip()!r} is not a number; give numbers of "
                             "ranks like 4,16,64.")
        counts.add(int(part))
        if not 1 <= int(part) <= MAX_RANKS:
            raise InputError(f"--ranks {part} is outside 1..{MAX_RANKS}.")
    return sorted(counts)


def make_plan(options: StylizeOptions, ranks: Sequence[int]) -> JobPlan:
    """Opens the film, times some of its frames, and foretells the job for each number of ranks.

    Writes nothing but temporary files. Raises InputError for what the user can put right.
    """
    options.check()
    start = Stopwatch()
    with start.timing("start"):
        from fastvid.stage_choice import check_kind, choose_stages
        from fastvid.style.device import CPU_NAME, choose_device, rank_device
        from fastvid.style.registry import load_style

        device = choose_device(options.device)
        paints_on = rank_device(device, 0)
        models = [load_style(style).move_to(paints_on) for style in options.styles]
        recurrent = check_kind(options, models)
        source = open_source(str(options.input), size=options.size, frames=options.frames,
                             fps=options.fps, on_error=options.on_error)
        fingerprint(str(options.input))
    threads = options.threads or 1
    with source:
        info = source.info
        output = plan_output(options.output, info=info, codec=options.codec, crf=options.crf,
                             preset=options.preset, source=options.input, overwrite=True)
        stages = choose_stages(models, picture_settings(options, threads, device))
        measurement = measure_film(options, threads, source, stages, output,
                                   on_gpu=device != CPU_NAME)
        frames = source.frame_count
    shots, notes = _shots(options, frames)
    if device != CPU_NAME:
        notes.append(f"painted on {device}, reckoned as one GPU a rank and frame after frame; a "
                     "run paints in batches while the flow is computed, which is faster. The "
                     "script asks for no GPU: add --gres")
    elif measurement.waited > _BUSY_ABOVE and threads == 1:
        notes.append(f"this machine was busy: the frames took {measurement.waited:.1f} times their "
                     "processor time, which is what is reckoned with")
    start_s = _START_S + start.median("start")
    dealing = Dealing(options.segment_length, options.held_at_most(recurrent),
                      LEADER_SLEEP_S + 3 * info.width * info.height / _NETWORK_BYTES_PER_S,
                      overlap=options.overlap)
    cores = usable_cores()

    def foretell(clusters: Iterable[Cluster]) -> tuple[Forecast, ...]:
        return tuple(forecast(shots, measurement.costs, cluster, threads=threads, start_s=start_s)
                     for cluster in clusters)

    paint_bytes = sum(model.memory_bytes(info.height, info.width) for model in models)
    each = rank_bytes(info, options, paint_bytes * (2 if recurrent else 1), recurrent)
    return JobPlan(
        frames=frames, size=(info.width, info.height), threads=threads, cores_here=cores,
        measurement=measurement, start_s=start_s,
        forecasts=foretell(own_cores(count, threads, dealing) for count in ranks),
        here=foretell(shared_cores(count, threads, cores, dealing) for count in ranks),
        rank_bytes=each, rank0_bytes=each + rank0_extra_bytes(info, options),
        disk_bytes=run_file_bytes(info, options),
        disk_free_bytes=free_disk_bytes(options.run_path), notes=tuple(notes))


def _shots(options: StylizeOptions, frames: int) -> tuple[list[int], list[str]]:
    """The lengths of the shots, as far as they are known, and a note."""
    if options.cuts == "none":
        return [frames], []
    if options.cuts == "auto":
        return [frames], ["cuts are not looked for: reckoned as one shot, the hardest case"]
    return shot_lengths(frames, sorted(read_cuts(Path(options.cuts)))), []


def format_plan(plan: JobPlan, options: StylizeOptions) -> str:
    """The plan as text, without a line break at its end."""
    width, height = plan.size
    lines = [
        f"{options.input}: {plan.frames} frames of {width}x{height}, style "
        f"{', '.join(options.styles)}",
        f"a frame on {_threads(plan.threads)} of {processor_name()} "
        f"({plan.measurement.timed} timed):",
        "    " + _costs_line(plan.measurement.costs),
        "",
        f"{'ranks':>6} {'time':>14} {'frames/s':>9} {'efficiency':>11} {'core hours':>11} "
        f"{'memory, all':>12} {'here, ' + str(plan.cores_here) + ' cores':>15}",
    ]
    for one, here in zip(plan.forecasts, plan.here):
        memory = plan.rank0_bytes + (one.ranks - 1) * plan.rank_bytes
        lines.append(f"{one.ranks:>6} {human_seconds(one.seconds):>14} "
                     f"{plan.frames / one.seconds:>9.2f} {one.efficiency:>11.2f} "
                     f"{one.core_hours:>11.3g} {human_bytes(memory):>12} "
                     f"{human_seconds(here.seconds):>15}")
    best, reason = best_value(plan.forecasts)
    disk = "unknown" if plan.disk_bytes is None else human_bytes(plan.disk_bytes)
    lines += [
        "",
        f"memory a rank: {human_bytes(plan.rank_bytes)}, rank 0 {human_bytes(plan.rank0_bytes)}; "
        f"disk: {disk} for the run file ({human_bytes(plan.disk_free_bytes)} free)",
        *_oversubscription(plan),
        *(f"note: {note}" for note in plan.notes),
        f"best value: {best.ranks} rank{'s' if best.ranks > 1 else ''} of "
        f"{_threads(plan.threads)}, {human_seconds(best.seconds)}: {reason}",
    ]
    return "\n".join(lines)


def write_script(path: Path, plan: JobPlan, options: StylizeOptions, overwrite: bool) -> None:
    """Writes the submission script for the best value. Raises InputError if it can't be written or
    if there is a file already."""
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already. Use --overwrite to replace it, or another "
                         "--script.")
    best, _ = best_value(plan.forecasts)
    jobs = Path(__file__).resolve().parent.parent / "jobs"
    text = submission_script(
        options, ranks=best.ranks, threads=plan.threads,
        seconds=best.seconds, rank_bytes=plan.rank0_bytes, python=sys.executable,
        jobs=jobs if (jobs / "lib.sh").is_file() else None)
    try:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror}.") from error


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _costs_line(costs: FrameCosts) -> str:
    parts = [("motion", costs.motion), ("paint", costs.paint), ("blend", costs.blend),
             ("on rank 0 besides: decode", costs.decode), ("store", costs.store),
             ("encode", costs.encode)]
    return ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in parts)


def _oversubscription(plan: JobPlan) -> list[str]:
    """A line on ranks that would share cores on this machine, if any would."""
    most = plan.cores_here // plan.threads
    if all(one.ranks <= most for one in plan.forecasts):
        return []
    cores = f"{plan.cores_here} core{'s' if plan.cores_here > 1 else ''}"
    return [f"on this machine more than {max(1, most)} rank{'s' if most > 1 else ''} of "
            f"{_threads(plan.threads)} share the {cores}: no faster, only more memory"]
