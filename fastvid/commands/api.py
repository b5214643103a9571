"""The Python interface: the same powers as the command line, for one process or under mpirun."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from fastvid.encode.codecs import FOLDER_CODEC
from fastvid.errors import FastvidError, RemoteError
from fastvid.job.options import StylizeOptions
from fastvid.job.progress import Progress
from fastvid.parallel.mpi.communicator import Communicator, Kind, connect

_communicator: Communicator | None = None


def stylize(
    input: str | Path, output: str | Path, *, progress: str = "auto", **options: Any
) -> Any:
    """Repaints a video.

    input: a video or a folder of numbered images. output: a video file or a folder for PNGs.
    options: the fields of `fastvid.job.options.StylizeOptions`, such as style="starry_night",
    frames=(0, 100), size=(640, -1), keep_colors=True. progress: "auto", "bar", "lines" or "none".

    The process's malloc is left alone: a script that paints large frames begins with
    `fastvid.system.allocator.keep_freed_memory()`, as the command does (up to twice as fast).

    Returns a `fastvid.job.result.JobResult`. Under mpirun every rank makes the same call, rank 0 gets
    the result and the others None.
    Raises InputError for what the caller can put right, other FastvidErrors for what went wrong on
    the way; under mpirun every rank raises.
    """
    comm = _connected()
    if comm.rank != 0:
        return _take_part(comm)
    from fastvid.job.run import run_job

    if str(output).endswith("/"):  # a folder of images
        options.setdefault("codec", FOLDER_CODEC)
    settings = replace(StylizeOptions(Path(input), Path(output)), **options)
    try:
        result = run_job(settings, comm, Progress(progress))
    except FastvidError as error:
        for rank in range(1, comm.size):
            comm.send_text(rank, Kind.QUIT, str(error), [error.exit_status])
        comm.drain()
        raise
    comm.send_all(Kind.QUIT, [0])
    comm.drain()
    return result


def _connected() -> Communicator:
    """The communicator of this process; MPI is started at the first call."""
    global _communicator
    if _communicator is None:
        _communicator = connect()
    return _communicator


def _take_part(comm: Communicator) -> None:
    from fastvid.parallel.same_input import answer_look
    from fastvid.parallel.serve import serve_job

    while True:
        message = comm.wait_for(Kind.SETUP, Kind.QUIT, Kind.LOOK)
        if message.kind is Kind.SETUP:
            serve_job(comm, message)
        elif message.kind is Kind.LOOK:
            answer_look(comm, message)
        elif message.header[0]:
            raise RemoteError(f"rank 0: {message.text()}", message.header[0])
        else:
            return
