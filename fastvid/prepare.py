"""Everything that is opened, checked and settled before the ranks are called."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastvid.encode_thread import remove_leftovers
from fastvid.errors import InputError
from fastvid.estimate import check_disk, check_memory
from fastvid.motion.flow_folder import FlowFolder
from fastvid.options import StylizeOptions
from fastvid.parallel.communicator import Communicator
from fastvid.parallel.serve import JobSetup
from fastvid.progress import Progress
from fastvid.resources import processor_name
from fastvid.runfile.identity import (open_run, picture_software, previous_settings,
                                      run_attributes)
from fastvid.runfile.lock import RunLock
from fastvid.runfile.writer import RunWriter
from fastvid.settings import PictureSettings, run_identity
from fastvid.stage_choice import check_kind
from fastvid.style.device import choose_device
from fastvid.style.loading import load_frame_model
from fastvid.style.model import StyleModel
from fastvid.style.registry import load_style, read_style, style_sha256
from fastvid.video.cuts import check_cuts
from fastvid.video.decode import VideoSource, fingerprint, open_source
from fastvid.video.encode import OutputPlan, plan_output


@dataclass
class Painting:
    """One style of a job, with its output and its run file.

    previous: the settings that the run file was begun with, None for a new one. writer: open from
    `prepare` on.
    """

    name: str
    checkpoint: bytes
    style: StyleModel
    output: Path
    run_path: Path
    plan: OutputPlan
    previous: dict[str, Any] | None
    writer: RunWriter

    @property
    def complete(self) -> bool:
        """Whether an earlier run has left nothing to do."""
        return self.writer.complete and (self.output.exists() or bool(self.writer.encoded))


@dataclass
class Prepared:
    """A job that can begin. paintings: those that are not complete yet. span: first and last time
    stamp if only a part of the film was chosen."""

    options: StylizeOptions
    source: VideoSource
    paintings: list[Painting]
    setup: JobSetup
    span: tuple[int, int] | None


def prepare(options: StylizeOptions, comm: Communicator, progress: Progress,
            stack: ExitStack) -> Prepared:
    """Opens and checks whatever a job needs; `stack` closes it again.

    Raises InputError for everything that the user can put right; then nothing new is left behind.
    """
    styles = [read_style(style) for style in options.styles]
    models = [load_style(data, style) for style, (_, data) in zip(options.styles, styles)]
    recurrent = check_kind(options, models)
    first_data = b""
    if options.first_frame_model is not None:
        _, first_data = read_style(options.first_frame_model)
        models.append(load_frame_model(first_data, options.first_frame_model))
    source = stack.enter_context(open_source(
        str(options.input), size=options.size, frames=options.frames, fps=options.fps,
        on_error=options.on_error))
    info = source.info
    check_cuts(options.cuts, source.frame_count)
    places = options.places([name for name, _ in styles])
    plans = []
    for output, run_path in places:
        plans.append(plan_output(output, info=info, codec=options.codec, crf=options.crf,
                                 preset=options.preset, source=options.input,
                                 overwrite=options.overwrite))
        _check_run_path(options.input, output, run_path)
    paint_bytes = max(model.memory_bytes(info.height, info.width) for model in models)
    # A recurrent model may be painting in both threads of a rank: a shot's first frame in one.
    check_memory(info, options, paint_bytes * (2 if recurrent else 1), comm.peers, recurrent)
    previous = [_lock(options, output, run_path, stack) for output, run_path in places]
    settings = _picture_settings(options, comm, previous, recurrent)
    if not any(previous):
        check_disk(info, options, stored_frames=0)
    input_sha256 = fingerprint(str(options.input))
    span = (source.first_pts, source.end_pts) if options.frames else None
    paintings = []
    for (name, data), model, plan, (output, run_path), old in zip(
            styles, models[:len(styles)], plans, places, previous, strict=True):
        identity = run_identity(options, settings, software=picture_software(),
                                input_sha256=input_sha256, style_sha256=model.sha256,
                                size=(info.width, info.height),
                                encoding=(plan.codec, plan.crf, plan.preset),
                                first_frame_sha256=style_sha256(first_data) if first_data else None)
        attributes = run_attributes(
            info, frame_count=source.frame_count, stream_index=source.stream_index, span=span,
            style_name=name, style_sha256=model.sha256, input_sha256=input_sha256,
            ranks=comm.size, threads=settings.threads)
        writer = open_run(run_path, old, identity, attributes, info, options.keep,
                          options.compression)
        stack.callback(_close_run, writer)
        paintings.append(Painting(name, data, model, output, run_path, plan, old, writer))
    if any(previous):
        check_disk(info, options, min(len(painting.writer.stored) for painting in paintings))
    open_paintings = [painting for painting in paintings if not painting.complete]
    for painting in open_paintings:
        remove_leftovers(painting.plan.path)
    if open_paintings:
        for note in dict.fromkeys((*info.notes, *open_paintings[0].plan.notes)):
            progress.note(note)
    setup = JobSetup(
        settings, tuple(painting.name for painting in open_paintings),
        tuple(painting.checkpoint for painting in open_paintings),
        options.held_at_most(recurrent), options.keep,
        options.rank_timeout, str(options.log_dir.absolute()) if options.log_dir else None,
        options.log_level, first_frame_model=first_data,
        flow_dir=str(options.flow_dir.absolute()) if options.flow_dir else None,
        first_frame=options.frames[0] if options.frames else 0)
    return Prepared(options, source, open_paintings, setup, span)


def _check_run_path(source: Path, output: Path, run_path: Path) -> None:
    """Raises InputError if the run file would be the input or the output, or has no folder."""
    place = run_path.absolute()
    for name, path in (("input", source), ("output", output)):
        if place == path.absolute():
            raise InputError(f"The run file {run_path} is the {name}. Give it another name with "
                             "--run-file.")
    if not place.parent.is_dir():
        raise InputError(f"There is no folder {place.parent} for the run file. Create it, or use "
                         "another --run-file.")


def _lock(options: StylizeOptions, output: Path, run_path: Path,
          stack: ExitStack) -> dict[str, Any] | None:
    """Takes the run file's lock and returns the settings of the run that it belongs to, if any."""
    stack.enter_context(RunLock(run_path))
    previous = previous_settings(run_path, options.restart)
    if previous is None and output.is_file() and not options.overwrite:
        raise InputError(f"{output} exists already and no run file beside it says that it is "
                         "ours.\nUse --overwrite to replace it, or another -o.")
    return previous


def _picture_settings(options: StylizeOptions, comm: Communicator,
                      previous: list[dict[str, Any] | None],
                      recurrent: bool) -> PictureSettings:
    """The settings of this run. A continued run takes its threads from the file, whatever the
    ranks, and so its device."""
    threads = (options.threads or int(_recorded(previous, "threads") or 0)
               or min(peer.cores for peer in comm.peers))
    return PictureSettings(
        flow=options.flow,
        flow_scale=options.flow_scale,
        mask_boundaries=options.mask_boundaries,
        temporal_strength=0.0 if recurrent else options.temporal_strength,
        strength=options.strength,
        keep_colors=options.keep_colors,
        threads=threads,
        processor=processor_name(),
        device=choose_device(options.device, _recorded(previous, "device")),
        pipeline=options.pipeline if recurrent else None,
        overlap=options.overlap,
        flow_sha256=FlowFolder(options.flow_dir).fingerprint() if options.flow_dir else None,
    )


def _recorded(previous: list[dict[str, Any] | None], name: str) -> Any:
    """A setting of the runs that are continued, None if there are none."""
    return next((old[name] for old in previous if old and name in old), None)


def _close_run(writer: RunWriter) -> None:
    """Closes the run file; one without a single frame is not worth keeping."""
    empty = not writer.stored
    writer.close()
    if empty:
        writer.path.unlink(missing_ok=True)
