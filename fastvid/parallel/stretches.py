"""Cutting a video into segments that belong to stretches (see `fastvid.overlap`).

Segments stay the unit of dealing, gathering and checkpoint; all of a stretch go to one rank.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fastvid.overlap import Break, Overlap, mark_stretches
from fastvid.parallel.segments import Segment, Stretch, cut_into_segments
from fastvid.video.frame import Frame


def cut_into_stretches(frames: Iterable[tuple[Frame, bool]], length: int,
                       overlap: Overlap) -> Iterator[Segment]:
    """Yields the segments of a stream of frames, in order, each with its stretch.

    frames, length: as for `cut_into_segments`. The first segment of a stretch has the frames of its
    warm-up as its lead; the first of a shot needs none.
    """
    seams: set[int] = set()

    def broken() -> Iterator[tuple[Frame, bool]]:
        for frame, begins in mark_stretches(frames, overlap):
            if begins is Break.STRETCH:
                seams.add(frame.index)
            yield frame, begins is not Break.NOTHING

    shot, shot_start = -1, 0
    stretch = Stretch(0, 0)
    recent: deque[Frame] = deque(maxlen=overlap.warm_up)
    for segment in cut_into_segments(broken(), length):
        lead: tuple[Frame, ...] = ()
        if segment.begins_shot:  # of what it was told: a stretch
            stretch = Stretch(segment.index, segment.start)
            if segment.start in seams:
                seam_segments = -(-overlap.seam_frames // length)
                stretch = replace(stretch, seam_stop=segment.start + seam_segments * length)
                lead = tuple(recent)
            else:
                shot, shot_start = shot + 1, segment.start
        yield replace(segment, shot=shot, shot_start=shot_start, lead=lead, stretch=stretch)
        recent.extend(segment.frames)
