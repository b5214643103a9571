"""What is done before the ranks are called: all is opened and checked, the run files are begun."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fastvid.decode.film import VideoSource
from fastvid.encode.encoded_parts import clear_parts
from fastvid.encode.mux import remove_leftovers
from fastvid.encode.plan import OutputPlan
from fastvid.job.identity import processor_note
from fastvid.job.opening import OpenedJob, OpenedStyle, SettledJob, open_job, settle
from fastvid.job.options import StylizeOptions
from fastvid.job.progress import Progress
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.setup import JobSetup
from fastvid.runfile.begin import open_run, run_attributes
from fastvid.runfile.writer import RunWriter


@dataclass
class StyleOutput:
    """One style of a job, with its output and its run file.

    writer: open from `prepare` on.
    """

    name: str
    output: Path
    run_path: Path
    plan: OutputPlan
    writer: RunWriter

    @property
    def complete(self) -> bool:
        """Whether an earlier run has left nothing to do."""
        return self.writer.complete and (self.output.exists() or bool(self.writer.encoded))


@dataclass
class Prepared:
    """A job that can begin. paintings: those that are not complete yet. span: first and last time
    stamp if only a part of the film was chosen. film: where rank 0 reads the input. notes: what is
    to be said at the end, too."""

    options: StylizeOptions
    source: VideoSource
    paintings: list[StyleOutput]
    setup: JobSetup
    span: tuple[int, int] | None
    film: Path
    encoders: dict[str, int]
    notes: tuple[str, ...] = ()


# Opens what a job needs: what paints, and the film.
Opening = Callable[[StylizeOptions, ExitStack], OpenedJob]


def prepare(
    options: StylizeOptions,
    comm: Communicator,
    progress: Progress,
    stack: ExitStack,
    opening: Opening = open_job,
) -> Prepared:
    """Opens and checks whatever a job needs; `stack` closes it again.

    Raises InputError for everything that the user can put right; then nothing new is left behind.
    """
    job = opening(options, stack)
    settled = settle(job, comm.peers, stack)
    source = job.source
    span = (source.first_pts, source.end_pts) if options.frames else None
    left: list[tuple[OpenedStyle, StyleOutput]] = []
    for number, style in enumerate(job.styles):
        writer = _begin(job, settled, number, comm.size, span)
        stack.callback(_close_run, writer)
        output = StyleOutput(style.file.name, style.output, style.run_path, style.plan, writer)
        if not output.complete:
            left.append((style, output))
        elif style.output.exists():
            clear_parts(style.plan.path)  # if it was killed before it could do that itself
    for style, _ in left:
        remove_leftovers(style.plan.path)
    about_regions = tuple(region.note for region in job.regions if region.note)
    if left:
        if processors := processor_note(settled.settings):
            progress.note(processors)
        about_film = *source.info.notes, *job.notes, *left[0][0].plan.notes, *about_regions
        for note in dict.fromkeys(about_film):
            progress.note(note)
    setup = job.setup(settled.settings, [style for style, _ in left])
    return Prepared(
        options,
        source,
        [output for _, output in left],
        setup,
        span,
        job.film,
        settled.encoders,
        about_regions,
    )


def _begin(
    job: OpenedJob, settled: SettledJob, number: int, ranks: int, span: tuple[int, int] | None
) -> RunWriter:
    """The run file of a style, begun or continued. number: of the style."""
    options, source, style = job.options, job.source, job.styles[number]
    attributes = run_attributes(
        source.info,
        options.input,
        frame_count=source.frame_count,
        stream_index=source.stream_index,
        span=span,
        style_name=style.file.name,
        style_sha256=style.file.sha256,
        input_sha256=job.input_sha256,
        ranks=ranks,
        threads=settled.settings.threads,
        sphere=style.plan.sphere,
    )
    begun = settled.previous[number] is not None
    writer = open_run(
        style.run_path,
        begun,
        settled.identities[number],
        attributes,
        source.info,
        options.keep,
        options.compression,
        [region.settings.name for region in job.regions],
    )
    if not begun:
        clear_parts(style.plan.path)
    return writer


def _close_run(writer: RunWriter) -> None:
    """Closes the run file; one without a single frame is not worth keeping."""
    empty = not writer.stored
    writer.close()
    if empty:
        writer.path.unlink(missing_ok=True)
