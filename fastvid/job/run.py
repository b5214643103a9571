"""A job from beginning to end, as rank 0 runs it. `_attempt` reads like the data's way:

decode -> deal -> motion, paint, blend -> gather -> HDF5 -> encode
"""

import time
from dataclasses import replace

from fastvid.errors import ReadingRefused, Stopped
from fastvid.job.decoding import choose_decoding
from fastvid.job.opening import open_job
from fastvid.job.options import StylizeOptions
from fastvid.job.prepare import Opening, prepare
from fastvid.job.progress import Progress
from fastvid.job.result import JobResult, tell
from fastvid.job.steps import Run
from fastvid.job.tuning import USUAL, Tuning
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import Deadline
from fastvid.parallel.setup import StageFactory, real_stages
from fastvid.system.ending import LimitedEnd


def run_job(
    options: StylizeOptions,
    comm: Communicator,
    progress: Progress,
    make_stages: StageFactory = real_stages,
    *,
    tuning: Tuning = USUAL,
    opening: Opening = open_job,
) -> JobResult:
    """Repaints a video; called on rank 0 while the other ranks `serve`. opening: another one makes
    something else of it, such as masks.

    Raises InputError for what the user can put right, before the other ranks are called where that
    is possible; StorageError, RemoteError for what goes wrong later; Stopped if the run was asked
    to stop. What is finished by then is kept in the run file.
    """
    began = time.monotonic()
    options.check()
    deadline = Deadline(comm, began, options.time_limit, options.grace)
    try:
        try:
            result = _attempt(options, comm, progress, deadline, make_stages, tuning, opening)
        except ReadingRefused as error:
            if options.decode != "auto":
                raise
            # The others have turned out to be unable to decode.
            progress.note(f"{str(error).splitlines()[0]}; rank 0 decodes for all from here on")
            options = replace(options, decode="rank0", restart=False)
            result = _attempt(options, comm, progress, deadline, make_stages, tuning, opening)
    except Stopped as stop:
        stop.leave_by = deadline.leave_by()
        raise
    result = replace(result, seconds=time.monotonic() - began)
    if result.outputs:
        tell(result, comm.size, progress)
    return result


def _attempt(
    options: StylizeOptions,
    comm: Communicator,
    progress: Progress,
    deadline: Deadline,
    make_stages: StageFactory,
    tuning: Tuning,
    opening: Opening,
) -> JobResult:
    """Repaints what is left to do. Raises what `run_job` does, and ReadingRefused."""
    comm.begin_job()
    with LimitedEnd(lambda error: deadline.leave_by() or time.monotonic() + tuning.end_s) as stack:
        job = prepare(options, comm, progress, stack, opening)
        if not job.paintings:
            progress.say(
                f"{options.output} is complete; nothing is left to do. --restart starts over."
            )
            return JobResult((), (), job.source.frame_count, job.source.frame_count, 0, 0.0)
        masks = [place.path for place in job.setup.masks]
        index = choose_decoding(options, job.source, comm, progress.note, deadline.check, masks)

        run = stack.enter_context(Run(job, index, comm, progress, tuning))
        parts = run.open_parts()
        with run.ranks_called():
            segments = run.read_ahead(run.cut(run.decode()))
            gatherer = run.gather(parts)
            engine = run.compute_along(make_stages)
            coordinator = run.lead(segments, engine, gatherer, deadline)
        return run.finish(parts, gatherer, coordinator)
