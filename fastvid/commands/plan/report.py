"""A plan as text. Pure functions."""

from collections.abc import Sequence

from fastvid.commands.plan.costs import FrameCosts
from fastvid.commands.plan.forecast import best_value
from fastvid.commands.plan.plan import JobPlan
from fastvid.job.options import StylizeOptions
from fastvid.sphere.size import painted_size_of
from fastvid.system.resources import human_bytes, human_seconds, processor_name


def format_plan(plan: JobPlan, options: StylizeOptions) -> str:
    """The plan as text, without a line break at its end."""
    width, height = plan.size
    lines = [
        f"{options.input}: {plan.frames} frames of {width}x{height}",
        "reckoned with:",
        *(f"    {name}: {value}" for name, value in _reckoned_with(plan, options)),
        f"a frame on {_threads(plan.threads)} of {processor_name()} "
        f"({plan.measurement.timed} timed):",
        f"    {_costs_line(plan.measurement.costs)}",
        "",
        f"{'ranks':>6} {'time':>14} {'frames/s':>9} {'efficiency':>11} {'core hours':>11} "
        f"{'memory, all':>12} {'here, ' + str(plan.cores_here) + ' cores':>15}",
    ]
    for one, here in zip(plan.forecasts, plan.here, strict=True):
        memory = plan.rank0_bytes + (one.ranks - 1) * plan.rank_bytes
        lines.append(
            f"{one.ranks:>6} {human_seconds(one.seconds):>14} "
            f"{plan.frames / one.seconds:>9.2f} {one.efficiency:>11.2f} "
            f"{one.core_hours:>11.3g} {human_bytes(memory):>12} "
            f"{human_seconds(here.seconds):>15}"
        )
    best, reason = best_value(plan.forecasts)
    disk = "unknown" if plan.disk_bytes is None else human_bytes(plan.disk_bytes)
    files = "run files" if len(options.styles) > 1 else "run file"
    lines += [
        "",
        f"memory a rank: {human_bytes(plan.rank_bytes)}, rank 0 {human_bytes(plan.rank0_bytes)}; "
        f"disk: {disk} for the {files} ({human_bytes(plan.disk_free_bytes)} free)",
        *_oversubscription(plan),
        *(f"note: {note}" for note in plan.notes),
        f"best value: {best.ranks} rank{'s' if best.ranks > 1 else ''} of "
        f"{_threads(plan.threads)}, {human_seconds(best.seconds)}: {reason}",
    ]
    return "\n".join(lines)


def _reckoned_with(plan: JobPlan, options: StylizeOptions) -> list[tuple[str, str]]:
    """The choices that the figures depend on, as names and values."""
    styles = options.styles
    output = plan.output
    encoder = [output.codec]
    if output.crf is not None:
        encoder.append(f"crf {output.crf:g}")
    if output.preset is not None:
        encoder.append(f"preset {output.preset}")
    many = f" ({len(styles)} outputs from one pass)" if len(styles) > 1 else ""
    painted = "CPU" if not plan.gpus else f"{plan.settings.device}, {plan.gpus} here"
    return [
        ("styles" if many else "style", ", ".join(styles) + many),
        *_film(plan),
        *_painted(plan),
        ("motion", _motion(plan, options)),
        ("decoding", _decoding([one.ranks for one in plan.forecasts], plan.decoded)),
        ("encoding", ", ".join(encoder)),
        ("painting on", f"{painted}; {_threads(plan.threads)} a rank"),
    ]


def _film(plan: JobPlan) -> list[tuple[str, str]]:
    """What the film is taken for, where that is no flat picture."""
    sphere = plan.settings.sphere
    return [] if sphere is None else [("film", f"{sphere.projection}, {sphere.stereo}")]


def _painted(plan: JobPlan) -> list[tuple[str, str]]:
    """The size that is painted, where that is not the film's."""
    width, height = plan.size
    painted = painted_size_of(plan.settings.sphere, height, width, plan.settings.stroke)
    if plan.recurrent or painted == (height, width):
        return []
    return [("painted at", f"{painted[1]}x{painted[0]}, brought to the film's size (--stroke)")]


def _motion(plan: JobPlan, options: StylizeOptions) -> str:
    kept = f"; {' and '.join(options.keep)} kept" if options.keep else ""
    if options.temporal_strength == 0 and not (options.keep or plan.recurrent):
        return "none, frame by frame"
    if options.flow_dir is not None:
        return f"read from {options.flow_dir}{kept}"
    scale = "" if options.flow_scale == 1 else f" at {options.flow_scale:g} of the size"
    return f"{options.flow}{scale}{kept}"


def _decoding(ranks: Sequence[int], decoded: dict[int, float]) -> str:
    """Who decodes. decoded: as in a plan."""
    own = [f"{decoded[count]:.1f} at {count}" for count in ranks if count in decoded]
    if not own:
        return "rank 0 for all"
    others = [str(count) for count in ranks if count not in decoded]
    rest = f"; rank 0 for all at {', '.join(others)}" if others else ""
    return (
        f"every rank its own frames (decoded for each that is used: {', '.join(own)} ranks){rest}"
    )


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _costs_line(costs: FrameCosts) -> str:
    parts = [
        ("motion", costs.motion),
        ("paint", costs.paint),
        ("blend", costs.blend),
        ("on rank 0 besides: decode", costs.decode),
        ("look for cuts", costs.cuts),
        ("store", costs.store),
        ("encode", costs.encode),
    ]
    return ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in parts)


def _oversubscription(plan: JobPlan) -> list[str]:
    """A line on ranks that would share cores on this machine, if any would."""
    most = plan.cores_here // plan.threads
    if all(one.ranks <= most for one in plan.forecasts):
        return []
    cores = f"{plan.cores_here} core{'s' if plan.cores_here > 1 else ''}"
    return [
        f"on this machine more than {max(1, most)} rank{'s' if most > 1 else ''} of "
        f"{_threads(plan.threads)} share the {cores}: no faster, only more memory"
    ]
