"""Who decodes: rank 0 for all, or every rank what it computes (`--decode`)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from fastvid.decode.cuts import mark_cuts
from fastvid.decode.entry_points import EntryPoints, NotSeekable
from fastvid.decode.film_index import FilmIndex, SourceIndex
from fastvid.decode.frame import Frame
from fastvid.decode.random_access import checksum, entry_to_seek, open_reader
from fastvid.decode.source import VideoSource
from fastvid.decode.watch import Watch
from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.parallel.cut_search import CUT_PART_FRAMES
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.same_input import ranks_that_differ
from fastvid.regions.planes import FramePlanes

# `auto` leaves the film to rank 0 as long as that keeps up: what it does for a frame takes as long
# as to decode 3.5, what the ranks do as long as to decode 80 to 140, with the bundled styles, the
# less the larger the frame (docs/performance.md). R ranks that decode D frames for each that they
# use get on by R / (80 + D) frames, rank 0 by 1 / 3.5 at most.
_RANK0_DECODES, _COMPUTING_DECODES = 3.5, 80.0
_RANKS_TRIED = 8
# `auto` goes on without waiting for ranks that are slow to start.
_AUTO_PATIENCE_S = 30.0


def choose_decoding(
    options: StylizeOptions,
    source: VideoSource,
    comm: Communicator,
    note: Callable[[str], None],
    check: Callable[[], None],
    masks: Sequence[str] = (),
) -> SourceIndex | None:
    """The index by which every rank reads its own frames; None where rank 0 decodes.

    note: takes what the user should know. check: called while other ranks are waited for; it may
    raise. masks: where those lie that every rank reads along with the frames.
    Raises InputError if every rank is to decode and can't, with rank, file and reason.
    """
    if rank0_decodes(options, comm.size):
        return None
    patience_s = options.rank_timeout
    if options.decode == "auto":
        patience_s = min(patience_s, _AUTO_PATIENCE_S)
    try:
        # As all ranks see it; rank 0 may read a copy.
        index = replace(seekable_index(source), path=str(options.input.absolute()))
        check_cost(options, index, comm.size)
        for path in dict.fromkeys((index.path, *masks)):
            differ = ranks_that_differ(comm, path, patience_s, check)
            if differ:
                raise NotSeekable("; ".join(differ))
    except (NotSeekable, InputError) as error:
        note(leave_to_rank0(options, error))
        return None
    note("every rank decodes its own frames")
    return index


def rank0_decodes(options: StylizeOptions, ranks: int) -> bool:
    """Whether rank 0 is to decode for so many ranks, whatever the film is like."""
    return options.decode == "rank0" or (options.decode == "auto" and _may_decode(ranks) < 1)


def leave_to_rank0(options: StylizeOptions, error: Exception) -> str:
    """What to say where rank 0 decodes because of `error`; raises InputError where it may not."""
    if options.decode == "auto":
        return f"rank 0 decodes for all ranks: {error}"
    raise InputError(
        f"--decode local: the ranks can't read {options.input} by themselves: "
        f"{error}.\n--decode rank0 lets rank 0 decode for all."
    ) from error


def marked_frames(source: VideoSource, cuts: str, ranks_read: bool) -> Iterator[tuple[Frame, bool]]:
    """Each frame with whether it begins a shot, as `mark_cuts` does.

    ranks_read: the other ranks decode for themselves. Frames then have checksums; where the cuts
    are known, nothing is decoded and they have no images.
    """
    if ranks_read and cuts != "auto":
        return mark_cuts(source.promised_frames(), cuts)
    marked = mark_cuts(_unchanged(source), cuts)
    if not ranks_read:
        return marked
    return ((replace(frame, checksum=checksum(frame.image)), begins) for frame, begins in marked)


def with_planes(
    marked: Iterable[tuple[Frame, bool]], planes: FramePlanes | None
) -> Iterator[tuple[Frame, bool]]:
    """The frames with their masks as further planes (`fastvid.regions.planes`)."""
    for frame, begins in marked:
        if planes is not None:
            frame = replace(frame, image=planes.attach(frame.index, frame.image))
        yield frame, begins


def _unchanged(source: VideoSource) -> Iterator[Frame]:
    """The frames of a source. Damage that comes of a change of the input is called by its name."""
    watch = Watch(source.info.path)
    try:
        yield from source
    except InputError as error:
        _call_change(watch, error)
        raise
    if source.damage:
        _call_change(watch, None)


def _call_change(watch: Watch, damage: InputError | None) -> None:
    try:
        watch.check()
    except InputError as change:
        raise InputError(f"rank 0: {change}") from damage


def decoded_by_ranks(index: SourceIndex, options: StylizeOptions, ranks: int) -> float:
    """How many frames a rank decodes for each that it computes, if segments are dealt in turn and
    the film is one shot; for the cuts, too, if they are looked for. Images are read one by one."""
    looks = options.cuts == "auto"
    if not isinstance(index, FilmIndex):
        return 1.0 + looks
    part = EntryPoints(
        np.maximum(index.entries.frames - index.first, 0), index.entries.pts, index.entries.size
    )
    lengths = [options.segment_length, *([CUT_PART_FRAMES] if looks else [])]
    count = index.stop - index.first
    return sum(decoded_a_frame(part, count, length, ranks) for length in lengths)


def decoded_a_frame(
    entries: EntryPoints, frame_count: int, segment_length: int, ranks: int
) -> float:
    """How many frames a rank decodes for each that it computes, if segments are dealt in turn.

    frame_count: of the video, taken as one shot. The mean over some of the ranks.
    """
    decoded = used = 0
    for rank in {ranks * part // _RANKS_TRIED for part in range(_RANKS_TRIED)}:
        position: int | None = None
        for start in range(rank * segment_length, frame_count, ranks * segment_length):
            # The halo is still there if the segment before was this rank's, too.
            first = start if start == (position or 0) else start - 1
            stop = min(start + segment_length, frame_count)
            entry = entry_to_seek(entries, position, first)
            begin = position if entry is None else int(entries.frames[entry])
            assert begin is not None
            decoded += stop - begin
            used += stop - start
            position = stop
    return decoded / used


def _may_decode(ranks: int) -> float:
    """How many frames each of so many ranks may decode for each that it uses, and they are still
    faster than where rank 0 decodes for all."""
    return _RANK0_DECODES * ranks - _COMPUTING_DECODES


def check_cost(options: StylizeOptions, index: SourceIndex, ranks: int) -> None:
    """Raises NotSeekable if `auto` leaves the film to rank 0, because the ranks would spend too
    much time on decoding frames that they do not use."""
    if options.decode != "auto":
        return
    decoded = decoded_by_ranks(index, options, ranks)
    if decoded > _may_decode(ranks):
        raise NotSeekable(
            f"its key frames are far apart, so that {ranks} ranks would decode "
            f"{decoded:.0f} frames for each that they paint"
        )


def seekable_index(source: VideoSource) -> SourceIndex:
    """The index by which others can read frames; a few are read for proof.

    Raises NotSeekable, or InputError where that fails.
    """
    index = source.index()
    _try_seeking(index)
    return index


def _try_seeking(index: SourceIndex) -> None:
    """Reads the frames at two entry points of the part. Raises InputError if that fails."""
    reader = open_reader(index)
    try:
        if isinstance(index, FilmIndex):
            inside = (
                index.entries.frames[
                    (index.entries.frames > index.first) & (index.entries.frames < index.stop)
                ]
                - index.first
            )
            for number in {int(inside[len(inside) // 2]), int(inside[-1])} if len(inside) else ():
                reader.read(number, number + 1)
    finally:
        reader.close()
