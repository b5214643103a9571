"""What is done before the ranks are called: all is opened and checked, the run files are begun."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fastvid.decode.film import VideoSource
from fastvid.encode.mux import remove_leftovers
from fastvid.encode.plan import OutputPlan
from fastvid.job.identity import processor_note
from fastvid.job.opening import open_job, settle
from fastvid.job.options import StylizeOptions
from fastvid.job.progress import Progress
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.setup import JobSetup
from fastvid.runfile.begin import open_run, run_attributes
from fastvid.runfile.writer import RunWriter


@dataclass
class Painting:
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
    stamp if only a part of the film was chosen."""

    options: StylizeOptions
    source: VideoSource
    paintings: list[Painting]
    setup: JobSetup
    span: tuple[int, int] | None


def prepare(
    options: StylizeOptions, comm: Communicator, progress: Progress, stack: ExitStack
) -> Prepared:
    """Opens and checks whatever a job needs; `stack` closes it again.

    Raises InputError for everything that the user can put right; then nothing new is left behind.
    """
    job = open_job(options, stack)
    settled = settle(job, comm.peers, stack)
    source, info = job.source, job.source.info
    span = (source.first_pts, source.end_pts) if options.frames else None
    paintings = []
    for name, model, plan, (output, run_path), old, identity in zip(
        job.names,
        job.models,
        job.plans,
        job.places,
        settled.previous,
        settled.identities,
        strict=True,
    ):
        attributes = run_attributes(
            info,
            frame_count=source.frame_count,
            stream_index=source.stream_index,
            span=span,
            style_name=name,
            style_sha256=model.sha256,
            input_sha256=job.input_sha256,
            ranks=comm.size,
            threads=settled.settings.threads,
        )
        writer = open_run(
            run_path, old is not None, identity, attributes, info, options.keep, options.compression
        )
        stack.callback(_close_run, writer)
        paintings.append(Painting(name, output, run_path, plan, writer))
    chosen = [number for number, painting in enumerate(paintings) if not painting.complete]
    open_paintings = [paintings[number] for number in chosen]
    for painting in open_paintings:
        remove_leftovers(painting.plan.path)
    if open_paintings:
        if processors := processor_note(settled.settings):
            progress.note(processors)
        for note in dict.fromkeys((*info.notes, *open_paintings[0].plan.notes)):
            progress.note(note)
    return Prepared(options, source, open_paintings, job.setup(settled.settings, chosen), span)


def _close_run(writer: RunWriter) -> None:
    """Closes the run file; one without a single frame is not worth keeping."""
    empty = not writer.stored
    writer.close()
    if empty:
        writer.path.unlink(missing_ok=True)
