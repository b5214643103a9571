"""Cutting a video into segments that belong to stretches (see `fastvid.stages.overlap`).

Segments stay the unit of dealing, gathering and checkpoint; all of a stretch go to one rank.
"""

from collections import deque
from collections.abc import Container, Iterable, Iterator

from fastvid.decode.frame import Frame
from fastvid.parallel.segments import Segment
from fastvid.stages.overlap import Break, Overlap, mark_stretches


def cut_into_stretches(
    frames: Iterable[tuple[Frame, bool]],
    length: int,
    overlap: Overlap,
    breaks: Container[int] = (),
) -> Iterator[Segment]:
    """Yields the segments of a stream of frames, in order, each with its stretch.

    frames, length, breaks: as for `cut_into_segments`. The first segment of a stretch, but for the
    first of a shot, has the frames of the warm-up as its `warm_up`. It is as long as the correction
    of the stretch, whatever the breaks: what is corrected together is stored together.
    """
    index, shot, shot_start, stretch = 0, -1, 0, 0
    recent: deque[Frame] = deque(maxlen=overlap.warm_up)
    warm_up: tuple[Frame, ...] = ()
    halo: Frame | None = None
    held: list[Frame] = []

    for frame, begins in mark_stretches(frames, overlap):
        if warm_up:
            full = len(held) == overlap.seam_frames
        else:
            full = len(held) == length or frame.index in breaks
        if held and (full or begins is not Break.NOTHING):
            yield Segment.of_frames(index, shot, shot_start, held, halo, stretch, warm_up)
            index += 1
            recent.extend(held)
            warm_up, halo, held = (), held[-1], []
        if begins is Break.SHOT:
            shot, shot_start = shot + 1, frame.index
        if begins is not Break.NOTHING:
            stretch, halo = index, None
            warm_up = tuple(recent) if begins is Break.STRETCH else ()
        held.append(frame)
    if held:
        yield Segment.of_frames(index, shot, shot_start, held, halo, stretch, warm_up)
