"""The Python interface: the same powers as the command line, for one process or under mpirun."""

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol

from fastvid.commands.mask.command import make_masks as masks_of
from fastvid.commands.stylize import for_folder
from fastvid.commands.together import follow, lead
from fastvid.encode.codecs import FOLDER_CODEC
from fastvid.job.options import StylizeOptions
from fastvid.job.progress import Progress
from fastvid.job.result import JobResult
from fastvid.job.run import run_job
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.lifetime import connect
from fastvid.parallel.mpi.stopping import signals_stop

P = ParamSpec("P")
Place = str | Path


class _Stylize(Protocol[P]):
    """Input, output, and the keywords `P`."""

    def __call__(
        self, input: Place, output: Place, *args: P.args, **options: P.kwargs
    ) -> JobResult | None:
        """See `stylize`."""


def _with_keywords_of(
    make_options: Callable[Concatenate[Path, Path, P], StylizeOptions],
) -> _Stylize[P]:
    """`stylize`, whose keywords and their types are those of the options."""

    def stylize(
        input: Place, output: Place, *args: P.args, **options: P.kwargs
    ) -> JobResult | None:
        """Repaints a video.

        input: a video or a folder of numbered images. output: a video file, or a folder for PNGs
        (NAME/). options: the fields of `fastvid.StylizeOptions`, such as style="starry_night",
        frames=(0, 100), size=(640, -1), keep_colors=True, progress="none".

        The process's malloc is left alone: a script that paints large frames begins with
        `fastvid.keep_freed_memory()`, as the command does (up to twice as fast).

        Under mpirun every rank makes the same call, rank 0 gets the result and the others None.
        Raises InputError for what the caller can put right, other FastvidErrors for what went
        wrong on the way. Under mpirun every rank raises, whatever was raised on one: RemoteError
        where it was another. If a rank then never comes back, the end of the program ends all.
        """
        comm = connect()
        # A batch system's warning asks the run to stop in good order.
        with signals_stop(comm):
            if comm.rank != 0:
                follow(comm)
                return None
            # Nothing of it before: a wrong argument must reach the other ranks too.
            return lead(
                comm,
                lambda: _repaint(
                    make_options(Path(input), Path(output), *args, **options), str(output), comm
                ),
            )

    stylize.__dict__["__signature__"] = signature(make_options)  # for `help(fastvid.stylize)`
    return stylize


stylize = _with_keywords_of(StylizeOptions)


def make_masks(
    input: Place,
    output: Place,
    *,
    seeds: Mapping[int, Place] | None = None,
    person: bool = False,
    model: Place | None = None,
    model_size: tuple[int, int] = (256, 144),
    frames: tuple[int, int | None] | None = None,
    size: tuple[int, int] | None = None,
    threads: int | None = None,
    overwrite: bool = False,
    progress: str = "auto",
) -> None:
    """Makes masks of what is in a film, as `fastvid mask` does, for `fastvid.Region`.

    input: a video. output: a folder of PNGs. seeds: by frame, pictures with strokes or rough
    cut-outs. person: people instead, by mediapipe's network; model: what another network finds, an
    ONNX or TFLite file that takes pictures of `model_size`, (width, height). The rest as of
    `stylize`, and so it is called and raises.
    """
    comm = connect()
    with signals_stop(comm):
        if comm.rank != 0:
            follow(comm)
            return
        options = StylizeOptions(
            Path(input),
            Path(output),
            codec=FOLDER_CODEC,
            frames=frames,
            size=size,
            threads=threads,
            overwrite=overwrite,
            progress=progress,
        )
        named = [f"{frame}={path}" for frame, path in (seeds or {}).items()]
        network = Path(model) if model is not None else None
        lead(comm, lambda: masks_of(options, named, network, model_size, comm, person=person))


def _repaint(options: StylizeOptions, output: str, comm: Communicator) -> JobResult:
    """Runs the job from rank 0. output: as it was given."""
    options = for_folder(options, output)
    return run_job(options, comm, Progress(options.progress))
