"""The beginning and the end of an output: the parts that are encoded already, and the video that is
put together of all of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.mux import mux
from fastvid.errors import Stopped
from fastvid.job.prepare import Prepared, StyleOutput
from fastvid.runfile.writer import to_json


@contextmanager
def opened_parts(
    painting: StyleOutput, part_frames: int, frames: int = 0
) -> Iterator[EncodedParts]:
    """The parts of one style, with those that an earlier run has closed.

    part_frames, frames: as for `EncodedParts`.

    After the block they stay only for a run that goes on from them: one that was asked to stop, or
    that has freed the frames in them. Raises InputError if such parts are gone.
    """
    writer = painting.writer
    parts = EncodedParts(painting.plan, part_frames, frames)
    parts.take_over(writer.has, writer.run_id, max(writer.encoded, default=-1) + 1)
    goes_on = False
    try:
        yield parts
    except Stopped:
        goes_on = bool(parts.closed)
        raise
    finally:
        if not (writer.encoded or goes_on):
            parts.clear()


def put_together(
    job: Prepared,
    painting: StyleOutput,
    parts: EncodedParts,
    seconds: Mapping[str, float],
    note: Callable[[str], None],
) -> None:
    """Makes the output of one style from its parts and marks its run file as complete.

    seconds: what goes into the run file, by stage. note: takes what the user should know.
    """
    source = job.source
    span = (source.first_pts, source.end_pts) if job.span else None
    # A part whose end was not known before knows it now. Whatever fails from here on, `encode` can
    # make the film of this run.
    done = {"span": list(span) if span else [], "painted": True}
    if painting.writer.encoded:
        done["parts"] = str(parts.folder)  # where the frames are that were freed
    painting.writer.set_attributes(done)
    for text in mux(
        painting.plan,
        [part.path for part in parts.closed],
        source=None if source.stream_index is None else job.film,
        span=span,
        source_video_stream_index=source.stream_index,
        with_place=not job.options.no_location,
    ):
        note(text)
    painting.writer.set_attributes(
        {
            "seconds": to_json({name: round(spent, 3) for name, spent in seconds.items()}),
            "complete": True,
        }
    )
    parts.clear()
