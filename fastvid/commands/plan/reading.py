"""At which numbers of ranks a job would let every rank read its own frames."""

from collections.abc import Sequence

from fastvid.decode.entry_points import NotSeekable
from fastvid.decode.source import VideoSource
from fastvid.errors import InputError
from fastvid.job.decoding import (
    check_cost,
    decoded_by_ranks,
    leave_to_rank0,
    rank0_decodes,
    seekable_index,
)
from fastvid.job.options import StylizeOptions


def own_reading(
    options: StylizeOptions, source: VideoSource, ranks: Sequence[int]
) -> tuple[dict[int, float], list[str]]:
    """For those of the numbers of ranks at which the ranks read: how many frames each decodes for
    each that it uses. And what the user should know.

    Raises InputError as a run does, if the ranks are to read and can't.
    """
    asked = [count for count in ranks if not rank0_decodes(options, count)]
    if not asked:
        return {}, []
    decoded, notes = {}, []
    try:
        index = seekable_index(source)
    except (NotSeekable, InputError) as error:
        return {}, [leave_to_rank0(options, error)]
    for count in asked:
        try:
            check_cost(options, index, count)
        except NotSeekable as error:
            notes.append(leave_to_rank0(options, error))
        else:
            decoded[count] = decoded_by_ranks(index, options, count)
    return decoded, notes
