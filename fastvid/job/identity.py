"""What makes a run this run: its settings as they stand in the run file, and what continues it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from fastvid.decode.cuts import read_cuts
from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.regions.settings import RegionSettings, describe_change, same_regions
from fastvid.sphere.projection import FLAT, Sphere
from fastvid.sphere.size import painted_size_of
from fastvid.stages.overlap import Overlap
from fastvid.stages.settings import PictureOptions, PictureSettings, eye_to_eye
from fastvid.style.precision import FULL
from fastvid.system.options import options_of
from fastvid.system.resources import processor_name

_BETWEEN_PROCESSORS = " and "
_log = logging.getLogger(__name__)


def picture_settings(
    options: StylizeOptions,
    *,
    threads: int,
    device: str = "cpu",
    recurrent: bool = False,
    flow_sha256: str | None = None,
    processors: Sequence[str] = (),
    regions: tuple[RegionSettings, ...] = (),
    masking: str | None = None,
    sphere: Sphere | None = None,
) -> PictureSettings:
    """The settings of a run with these options. processors: of all ranks, empty for this one's.
    regions: as they were opened. masking: what makes masks, None where films are painted. sphere:
    what the film shows, None: flat pictures."""
    shaping = {one.name: getattr(options, one.name) for one in fields(PictureOptions)}
    if recurrent:
        shaping["temporal_strength"] = 0.0
    return PictureSettings(
        **shaping,
        threads=threads,
        processor=_BETWEEN_PROCESSORS.join(sorted(set(processors))) or processor_name(),
        device=device,
        pipeline=options.pipeline if recurrent else None,
        overlap=options.stretches,
        flow_sha256=flow_sha256,
        regions=regions,
        masking=masking,
        **({} if sphere is None else asdict(sphere)),
    )


# Compared by what they mean; a run without any has none recorded.
_REGIONS = "regions"
_MASKING = "masking"
# Runs that were begun before the eyes of a sphere agreed have none recorded.
_EYES = "eyes"
# Run files that were begun before these were noted lack them, and are continued all the same.
_NOTED_LATER = ("reading",)
# Noted only where they change the picture, and what it is where they do not.
_WHERE_USED = {
    _MASKING: "painting",
    "stroke": "none (painted at the film's own size)",
    "precision": FULL,
    "projection": "flat",
    "stereo": "mono",
    _EYES: "its own",
}

# What a run file records of a run, as messages call it: an option by its flag, and what is none.
_WORDS = {one.option.recorded_as or one.name: one.flag for one in options_of(StylizeOptions)} | {
    "software": "the software",
    "input_sha256": "the content of the input",
    "style_sha256": "the style",
    "size": "the size of the frames",
    "processor": "the kind of processor",
    "reading": "the software that reads the film",
    _MASKING: "what makes the masks",
    _EYES: "what strokes the second eye has",
}


def run_identity(
    options: StylizeOptions,
    settings: PictureSettings,
    *,
    software: str,
    input_sha256: str,
    style_sha256: str,
    size: tuple[int, int],
    encoding: tuple[str, float | None, str | None],
    first_frame_sha256: str | None = None,
    reading: str | None = None,
) -> dict[str, Any]:
    """What must be the same for a run to be continued, as a table for the run file.

    software: the versions that the pixels depend on. encoding: codec, crf and preset; they count
    only where encoded frames are discarded, because those can't be encoded again.
    first_frame_sha256: of the model of first frames, None without one. reading: the versions that
    decoding and cuts depend on.
    """
    identity = asdict(settings)
    for name, value in (identity.pop("overlap") or {}).items():
        identity[f"overlap_{name}"] = value
    if settings.pipeline is None:
        del identity["pipeline"]
    else:
        identity["first_frame_sha256"] = first_frame_sha256
    if settings.projection == FLAT:
        del identity["projection"], identity["stereo"]
    elif eye_to_eye(settings) is not None:
        identity[_EYES] = "those of the first"
    for name in (_REGIONS, _MASKING):
        if not identity[name]:
            del identity[name]
    height_width = size[1], size[0]
    painted = painted_size_of(settings.sphere, *height_width, settings.stroke)
    if settings.pipeline or painted == height_width:
        # Painted at its own size, as every film was before there was a choice.
        del identity["stroke"]
    if settings.precision == FULL:
        del identity["precision"]
    cuts = options.cuts
    if cuts not in ("auto", "none"):
        cuts = ",".join(str(cut) for cut in sorted(read_cuts(Path(cuts))))
    identity.update(
        software=software,
        input_sha256=input_sha256,
        style_sha256=style_sha256,
        frames=list(options.frames) if options.frames else None,
        size=list(size),
        fps=str(options.fps) if options.fps else None,
        cuts=cuts,
        keep=sorted(options.keep),
        discard_frames=" ".join(map(str, encoding)) if options.discard_frames else None,
    )
    if reading is not None:
        identity["reading"] = reading
    return identity


def processor_note(settings: PictureSettings) -> str | None:
    """What to know of the ranks' processors; None if all are of one kind."""
    kinds = settings.processor.split(_BETWEEN_PROCESSORS)
    if len(kinds) < 2:
        return None
    return (
        f"the ranks have processors of {len(kinds)} kinds ({', '.join(kinds)}): the last bit of "
        "the picture depends on which of them paints what; the same bytes each time take one kind"
    )


def recorded_overlap(identity: Mapping[str, Any]) -> Overlap | None:
    """How the shots of a run were cut into stretches, by the table in its run file."""
    if identity.get("pipeline") != "overlap":
        return None
    return Overlap(**{field.name: identity[f"overlap_{field.name}"] for field in fields(Overlap)})


def recorded_sphere(identity: Mapping[str, Any]) -> Sphere | None:
    """What the frames of a run show of a sphere, by the table in its run file."""
    projection = identity.get("projection", FLAT)
    return None if projection == FLAT else Sphere(projection, identity["stereo"])


def check_same_run(path: object, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises InputError that names what changed since the run file was begun."""
    for name in _NOTED_LATER:
        if name in wanted and name not in recorded:
            _log.warning("%s does not say what was %s: %s now", path, _WORDS[name], wanted[name])
    known = [name for name in wanted if name in recorded or name not in _NOTED_LATER]
    known += [name for name in _WHERE_USED if name in recorded and name not in wanted]
    changed = [
        name for name in known if name != _REGIONS and recorded.get(name) != wanted.get(name)
    ]
    words = []
    regions = recorded.get(_REGIONS), wanted.get(_REGIONS)
    if not same_regions(*regions):
        words.append(describe_change(*regions))
    if not changed and not words:
        return
    for name in changed:
        label = _WORDS[name]
        if name.endswith("sha256"):
            words.append(f"{label} is another")
        else:
            was, now = (table.get(name, _WHERE_USED.get(name)) for table in (recorded, wanted))
            words.append(f"{label} was {was}, is {now}")
    raise InputError(
        f"{path} was begun with other settings: {'; '.join(words)}.\n"
        "Give the old settings to continue it, --restart to start over, or another --run-file."
    )
