"""What a job needs, opened and checked before anything of it is written. A plan does no more, and
so refuses what the run would refuse."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastvid.decode.cuts import check_cuts
from fastvid.decode.film import VideoSource, fingerprint, open_source
from fastvid.decode.frame import VideoInfo
from fastvid.encode.output import plan_output
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.job.estimate import check_disk, check_memory, encoders_by_host
from fastvid.job.film_sphere import film_sphere
from fastvid.job.identity import check_same_run, picture_settings, run_identity
from fastvid.job.options import StylizeOptions
from fastvid.job.ownership import own
from fastvid.job.paint_memory import paint_bytes_of
from fastvid.motion.flow_folder import FlowFolder
from fastvid.parallel.mpi.peer import Peer
from fastvid.parallel.setup import JobSetup
from fastvid.regions.opening import OpenedRegion, Usual, open_regions, read_style_or_film
from fastvid.runfile.begin import (
    picture_software,
    previous_settings,
    reading_software,
    stored_frames,
)
from fastvid.sphere.projection import Sphere
from fastvid.stages.choice import recurrent_models
from fastvid.stages.settings import PictureSettings
from fastvid.style.device import choose_device
from fastvid.style.loading import StyleFile, load_frame_model, load_model, read_style
from fastvid.style.model import StyleModel
from fastvid.system.options import Declared, options_of
from fastvid.system.staging import staged


@dataclass(frozen=True)
class OpenedStyle:
    """One style of a job: its checkpoint, the model in it (None: the film is left), and where its
    pictures go."""

    file: StyleFile
    model: StyleModel | None
    output: Path
    run_path: Path
    plan: OutputPlan


@dataclass(frozen=True)
class OpenedJob:
    """A job whose inputs are open and whose options fit together.

    first_frame_model: paints the first frame of each shot, None where the styles do. recurrent:
    whether the models are. paint_bytes: what painting takes of a rank's memory at its peak.
    input_sha256: of the input's content. regions: parts that are painted in their own way. masking:
    what makes masks, None where the film is painted. film: where rank 0 reads the input. sphere:
    what the film shows, None: flat pictures. notes: what the user should know of it.
    """

    options: StylizeOptions
    styles: tuple[OpenedStyle, ...]
    first_frame_model: StyleFile | None
    recurrent: bool
    source: VideoSource
    paint_bytes: int
    input_sha256: str
    film: Path
    regions: tuple[OpenedRegion, ...] = ()
    masking: str | None = None
    sphere: Sphere | None = None
    notes: tuple[str, ...] = ()

    def setup(self, settings: PictureSettings, chosen: Sequence[OpenedStyle]) -> JobSetup:
        """What every rank is told. chosen: the styles that are to be painted."""
        options = self.options
        return JobSetup(
            settings,
            tuple(style.file.name for style in chosen),
            tuple(style.file.data for style in chosen),
            options.held_at_most(self.recurrent),
            options.keep,
            options.rank_timeout,
            str(options.log_dir.absolute()) if options.log_dir else None,
            options.log_level,
            first_frame_model=self.first_frame_model.data if self.first_frame_model else b"",
            flow_dir=str(options.flow_dir.absolute()) if options.flow_dir else None,
            first_frame=options.frames[0] if options.frames else 0,
            region_styles=tuple(region.style.data for region in self.regions),
            masks=tuple(region.place for region in self.regions),
            size=(self.source.info.width, self.source.info.height),
            stage_to=str(options.stage_to.absolute()) if options.stage_to else None,
        )

    def identity(self, style: OpenedStyle, settings: PictureSettings) -> dict[str, Any]:
        """What must be the same for a style's run to be continued."""
        info, first, plan = self.source.info, self.first_frame_model, style.plan
        return run_identity(
            self.options,
            settings,
            software=picture_software(),
            reading=reading_software(),
            input_sha256=self.input_sha256,
            style_sha256=style.file.sha256,
            size=(info.width, info.height),
            encoding=(plan.codec, plan.crf, plan.preset),
            first_frame_sha256=first.sha256 if first else None,
        )


def open_film(options: StylizeOptions, film: Path) -> VideoSource:
    """Opens the film as the options say. film: where it is read. Raises InputError as
    `open_source`."""
    return open_source(
        str(film),
        size=options.size,
        frames=options.frames,
        fps=options.fps,
        on_error=options.on_error,
    )


def open_job(options: StylizeOptions, stack: ExitStack) -> OpenedJob:
    """Opens the styles and the film and checks the options; `stack` closes the film again.

    Raises InputError for everything that the user can put right.
    """
    files = [read_style_or_film(style) for style in options.styles]
    models = [
        load_model(file.data, style) if file.data else None
        for style, file in zip(options.styles, files, strict=True)
    ]
    painters = [model for model in models if model is not None]
    recurrent = check_kind(options, painters)
    first = None
    if options.first_frame_model is not None:
        first = read_style(options.first_frame_model)
        painters.append(load_frame_model(first.data, options.first_frame_model))
    film = stack.enter_context(staged(options.input, options.stage_to))
    source = stack.enter_context(open_film(options, film))
    info = source.info
    check_cuts(options.cuts, source.frame_count)
    sphere, notes = film_sphere(options, source)
    written = info if sphere is None else replace(info, sphere=sphere.tags(info.sphere))
    regions = open_regions(
        options.regions,
        source,
        options.frames[0] if options.frames else 0,
        Usual(options.strength, options.keep_colors),
    )
    painters += [region.model for region in regions if region.model is not None]
    styles = tuple(
        OpenedStyle(file, model, output, run_path, plan_of(options, written, output, run_path))
        for file, model, (output, run_path) in zip(
            files, models, options.places([file.name for file in files]), strict=True
        )
    )
    paint_bytes = paint_bytes_of(painters, options.stroke, info, sphere, recurrent)
    return OpenedJob(
        options,
        styles,
        first,
        recurrent,
        source,
        paint_bytes,
        fingerprint(str(film)),
        film,
        regions,
        sphere=sphere,
        notes=tuple(notes),
    )


def plan_of(options: StylizeOptions, info: VideoInfo, output: Path, run_path: Path) -> OutputPlan:
    """How one style's output is written. Raises InputError if that, or its run file, can't be."""
    planned = plan_output(
        output,
        info=info,
        codec=options.codec,
        crf=options.crf,
        preset=options.preset,
        source=options.input,
        overwrite=options.overwrite,
    )
    _check_run_path(options.input, output, run_path)
    return planned


def _check_run_path(source: Path, output: Path, run_path: Path) -> None:
    """Raises InputError if the run file would be the input or the output, or has no folder."""
    place = run_path.absolute()
    for name, path in (("input", source), ("output", output)):
        if place == path.absolute():
            raise InputError(
                f"The run file {run_path} is the {name}. Give it another name with --run-file."
            )
    if not place.parent.is_dir():
        raise InputError(
            f"There is no folder {place.parent} for the run file. Create it, or use "
            "another --run-file."
        )


@dataclass(frozen=True)
class SettledJob:
    """What a job is computed with. previous: the settings that each style's run file was begun
    with, None for a new one. identities: what must be the same for it to be continued. encoders:
    how many ranks of each host have room to encode beside their work."""

    settings: PictureSettings
    previous: list[dict[str, Any] | None]
    identities: list[dict[str, Any]]
    encoders: dict[str, int]


def settle(job: OpenedJob, peers: Sequence[Peer], stack: ExitStack) -> SettledJob:
    """Checks memory, run files and disk, and chooses threads and device; nothing is written.
    `stack` gives the run files and outputs free again.

    peers: the ranks. Raises InputError for everything that the user can put right.
    """
    options, info = job.options, job.source.info
    needs = info, options, job.paint_bytes, peers, job.recurrent
    check_memory(*needs)
    own([(style.run_path, style.plan.path) for style in job.styles], stack)
    previous = [_previous(options, style) for style in job.styles]
    # A continued run takes its threads from the file, whatever the ranks, and so its device.
    settings = picture_settings(
        options,
        threads=(
            options.threads
            or int(_recorded(previous, "threads") or 0)
            or min(peer.cores for peer in peers)
        ),
        device=choose_device(options.device, _recorded(previous, "device")),
        recurrent=job.recurrent,
        flow_sha256=FlowFolder(options.flow_dir).fingerprint() if options.flow_dir else None,
        processors=[peer.processor for peer in peers if peer.processor],
        sphere=job.sphere,
        regions=tuple(region.settings for region in job.regions),
        masking=job.masking,
    )
    identities = [job.identity(style, settings) for style in job.styles]
    stored = []
    for style, old, identity in zip(job.styles, previous, identities, strict=True):
        if old is not None:
            check_same_run(style.run_path, old, identity)
        stored.append(0 if old is None else stored_frames(style.run_path))
    check_disk(info, options, min(stored))
    return SettledJob(settings, previous, identities, encoders_by_host(*needs))


def _previous(options: StylizeOptions, style: OpenedStyle) -> dict[str, Any] | None:
    """The settings of the run that the run file belongs to, if any. Raises InputError if the output
    is none of ours."""
    previous = previous_settings(style.run_path, options.restart)
    output = style.output
    if previous is None and output.is_file() and not options.overwrite:
        raise InputError(
            f"{output} exists already and no run file beside it says that it is "
            "ours.\nUse --overwrite to replace it, or another -o."
        )
    return previous


def _recorded(previous: Sequence[dict[str, Any] | None], name: str) -> Any:
    """A setting of the runs that are continued, None if there are none."""
    return next((old[name] for old in previous if old and name in old), None)


def check_kind(options: StylizeOptions, models: Sequence[StyleModel]) -> bool:
    """Whether the run is one of recurrent models. models: may be none, where the film is left.

    Raises InputError if options do not go with the kind of the models, or the models not together.
    """
    recurrent = bool(recurrent_models(models))
    name = models[0].name if models else options.styles[0]
    for one in options_of(StylizeOptions):
        if one.is_changed(options):
            _check_goes_with(one, options, name, recurrent)
    return recurrent


def _check_goes_with(one: Declared, options: StylizeOptions, model: str, recurrent: bool) -> None:
    """Raises InputError if an option that was given is for the other kind of models."""
    if one.option.only_for == "recurrent" and not recurrent:
        chosen = f" {one.value_in(options)}" if one.option.choices else ""
        raise InputError(
            f"{one.flag}{chosen} is for recurrent models; {model} paints every frame on its "
            f"own{one.option.why}. Leave it out."
        )
    if one.option.only_for == "frame" and recurrent:
        raise InputError(
            f"{one.flag} does not go with the recurrent model {model}: {one.option.why}. "
            "Leave it out."
        )
