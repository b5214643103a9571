"""What a job needs, opened and checked before anything of it is written. A plan does no more, and
so refuses what the run would refuse."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastvid.decode.cuts import check_cuts
from fastvid.decode.film import VideoSource, fingerprint, open_source
from fastvid.encode.output import plan_output
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.job.estimate import check_disk, check_memory
from fastvid.job.identity import check_same_run, picture_settings, run_identity
from fastvid.job.options import StylizeOptions
from fastvid.motion.flow_folder import FlowFolder
from fastvid.parallel.mpi.peer import Peer
from fastvid.parallel.setup import JobSetup
from fastvid.runfile.begin import (
    picture_software,
    previous_settings,
    reading_software,
    stored_frames,
)
from fastvid.runfile.lock import RunLock
from fastvid.stages.choice import recurrent_models
from fastvid.stages.settings import PictureSettings
from fastvid.style.device import choose_device
from fastvid.style.loading import load_frame_model, load_style, read_style, style_sha256
from fastvid.style.model import StyleModel


@dataclass(frozen=True)
class OpenedJob:
    """A job whose inputs are open and whose options fit together.

    names, checkpoints, models, places, plans: one a style, in order; places: output and run file.
    first_frame_model: the checkpoint that paints the first frame of each shot, empty where the
    styles do. recurrent: whether the models are. paint_bytes: what painting takes of a rank's
    memory at its peak. input_sha256: of the input's content.
    """

    options: StylizeOptions
    names: tuple[str, ...]
    checkpoints: tuple[bytes, ...]
    models: tuple[StyleModel, ...]
    first_frame_model: bytes
    recurrent: bool
    source: VideoSource
    places: tuple[tuple[Path, Path], ...]
    plans: tuple[OutputPlan, ...]
    paint_bytes: int
    input_sha256: str

    def setup(self, settings: PictureSettings, chosen: Sequence[int]) -> JobSetup:
        """What every rank is told. chosen: the numbers of the styles that are to be painted."""
        options = self.options
        return JobSetup(
            settings,
            tuple(self.names[number] for number in chosen),
            tuple(self.checkpoints[number] for number in chosen),
            options.held_at_most(self.recurrent),
            options.keep,
            options.rank_timeout,
            str(options.log_dir.absolute()) if options.log_dir else None,
            options.log_level,
            first_frame_model=self.first_frame_model,
            flow_dir=str(options.flow_dir.absolute()) if options.flow_dir else None,
            first_frame=options.frames[0] if options.frames else 0,
        )

    def identities(self, settings: PictureSettings) -> list[dict[str, Any]]:
        """What must be the same for each style's run to be continued."""
        info, first = self.source.info, self.first_frame_model
        return [
            run_identity(
                self.options,
                settings,
                software=picture_software(),
                reading=reading_software(),
                input_sha256=self.input_sha256,
                style_sha256=model.sha256,
                size=(info.width, info.height),
                encoding=(plan.codec, plan.crf, plan.preset),
                first_frame_sha256=style_sha256(first) if first else None,
            )
            for model, plan in zip(self.models, self.plans, strict=True)
        ]


def open_job(options: StylizeOptions, stack: ExitStack) -> OpenedJob:
    """Opens the styles and the film and checks the options; `stack` closes the film again.

    Raises InputError for everything that the user can put right.
    """
    styles = [read_style(style) for style in options.styles]
    models = [load_style(data, style) for style, (_, data) in zip(options.styles, styles)]
    recurrent = check_kind(options, models)
    painters, first_data = list(models), b""
    if options.first_frame_model is not None:
        _, first_data = read_style(options.first_frame_model)
        painters.append(load_frame_model(first_data, options.first_frame_model))
    source = stack.enter_context(
        open_source(
            str(options.input),
            size=options.size,
            frames=options.frames,
            fps=options.fps,
            on_error=options.on_error,
        )
    )
    info = source.info
    check_cuts(options.cuts, source.frame_count)
    names = tuple(name for name, _ in styles)
    places = options.places(names)
    plans = []
    for output, run_path in places:
        plans.append(
            plan_output(
                output,
                info=info,
                codec=options.codec,
                crf=options.crf,
                preset=options.preset,
                source=options.input,
                overwrite=options.overwrite,
            )
        )
        _check_run_path(options.input, output, run_path)
    paint_bytes = max(model.memory_bytes(info.height, info.width) for model in painters)
    return OpenedJob(
        options,
        names,
        tuple(data for _, data in styles),
        tuple(models),
        first_data,
        recurrent,
        # A recurrent model may be painting in both threads of a rank: a shot's first frame in one.
        source,
        tuple(places),
        tuple(plans),
        paint_bytes * (2 if recurrent else 1),
        fingerprint(str(options.input)),
    )


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
    with, None for a new one. identities: what must be the same for it to be continued."""

    settings: PictureSettings
    previous: list[dict[str, Any] | None]
    identities: list[dict[str, Any]]


def settle(job: OpenedJob, peers: Sequence[Peer], stack: ExitStack) -> SettledJob:
    """Checks memory, run files and disk, and chooses threads and device; nothing is written.
    `stack` gives the run files free again.

    peers: the ranks. Raises InputError for everything that the user can put right.
    """
    options, info = job.options, job.source.info
    check_memory(info, options, job.paint_bytes, peers, job.recurrent)
    previous = [_lock(options, output, run_path, stack) for output, run_path in job.places]
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
    )
    identities = job.identities(settings)
    stored = []
    for (_, run_path), old, identity in zip(job.places, previous, identities, strict=True):
        if old is not None:
            check_same_run(run_path, old, identity)
        stored.append(0 if old is None else stored_frames(run_path))
    check_disk(info, options, min(stored))
    return SettledJob(settings, previous, identities)


def _lock(
    options: StylizeOptions, output: Path, run_path: Path, stack: ExitStack
) -> dict[str, Any] | None:
    """Takes the run file's lock and returns the settings of the run that it belongs to, if any."""
    stack.enter_context(RunLock(run_path))
    previous = previous_settings(run_path, options.restart)
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
    """Whether the run is one of recurrent models.

    Raises InputError if options do not go with the kind of the models, or the models not together.
    """
    default = StylizeOptions(options.input, options.output)
    recurrent = bool(recurrent_models(models))
    if not recurrent:
        if options.first_frame_model is not None:
            raise InputError(
                f"--first-frame-model is for recurrent models; {models[0].name} "
                "paints every frame on its own. Leave it out."
            )
        if options.overlap is not None:
            raise InputError(
                f"--pipeline overlap is for recurrent models; {models[0].name} paints "
                "every frame on its own, which is parallel anyway. Leave it out."
            )
        return False
    for name, why in (
        ("temporal_strength", "the network itself keeps the picture steady"),
        ("strength", "it continues its own pictures, not mixtures with the film"),
        ("keep_colors", "it continues its own pictures, with the colours it gave them"),
    ):
        if getattr(options, name) != getattr(default, name):
            raise InputError(
                f"--{name.replace('_', '-')} does not go with the recurrent model "
                f"{models[0].name}: {why}. Leave it out."
            )
    return True
