"""Cutting a video into segments: the unit of dealing, hand-over, gathering, checkpoint, progress.

A segment is a run of consecutive frames of one shot, at most `length` of them, with the frame
before it (the halo) unless it begins its shot. The last segment of a shot is short, never dropped,
never stretched. At the beginning and towards the end of a film all of them are short, so that its
ranks begin, and come to their end, at about the same time.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from fastvid.decode.frame import Frame

# How many segments are left for each rank when they become shorter: guided self-scheduling
# (Polychronopoulos and Kuck, 1987), where it is one. On simulated films of 280 to 1,920 frames 1.5
# was the best of 0.5 to 4 (16 and 32 ranks).
_SEGMENTS_LEFT_A_RANK = 1.5
# A film on R ranks advances by a frame in the R-th part of what a frame takes, and no faster than
# its boundary frames go from rank to rank: with the hops of a network, a twentieth of what a frame
# takes, segments are to have R / 20 frames.
_RANKS_A_FRAME = 20
# Where rank 0 decodes, the last rank waits for the segments of all others at first: segments begin
# with a frame, and are longer by one after so many for each rank. On simulated films of 280 to
# 1,920 frames, 8 to 64 ranks, 1.5 to 3 were equally good.
_FRAMES_A_RANK_BEFORE_LONGER = 2


@dataclass(frozen=True)
class Segment:
    """Frames [start, stop) of one shot.

    index: number of the segment in the video. shot: number of the shot. shot_start: first frame of
    the shot. halo: frame start - 1, or None where the segment begins its shot or its stretch.
    stretch: number of the first segment of its stretch (see `fastvid.stages.overlap`), if segments
    are computed in stretches. warm_up: the frames before it with which its stretch warms up.
    """

    index: int
    start: int
    stop: int
    shot: int
    shot_start: int
    frames: tuple[Frame, ...] = field(repr=False, default=())
    halo: Frame | None = field(repr=False, default=None)
    stretch: int | None = None
    warm_up: tuple[Frame, ...] = field(repr=False, default=())

    @classmethod
    def of_frames(
        cls,
        index: int,
        shot: int,
        shot_start: int,
        frames: Sequence[Frame],
        halo: Frame | None,
        stretch: int | None = None,
        warm_up: tuple[Frame, ...] = (),
    ) -> Self:
        """The segment of these frames, at least one."""
        start, stop = frames[0].index, frames[-1].index + 1
        own = tuple(frames)
        return cls(index, start, stop, shot, shot_start, own, halo, stretch, warm_up)

    @property
    def group(self) -> int:
        """What goes to one rank together: the segments of a stretch, else each by itself."""
        return self.index if self.stretch is None else self.stretch

    @property
    def begins_shot(self) -> bool:
        """Whether the first frame of the segment is the first of its shot."""
        return self.start == self.shot_start

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class SegmentLengths:
    """How long the segments of a film are at most, on so many ranks.

    usual: frames, at least 1, far from the film's beginning and its end. frames: of the film, None
    where these do not matter. Raises ValueError.
    """

    usual: int
    frames: int | None = None
    ranks: int = 1

    def __post_init__(self) -> None:
        if self.usual < 1:
            raise ValueError(f"a segment has at least 1 frame, not {self.usual}")

    def at(self, start: int) -> int:
        """The length of a segment that begins with this frame."""
        if self.frames is None or self.ranks == 1:
            return self.usual
        early = 1 + start // (_FRAMES_A_RANK_BEFORE_LONGER * self.ranks)
        fair = int((self.frames - start) / (_SEGMENTS_LEFT_A_RANK * self.ranks))
        return max(1, min(self.usual, early, max(fair, self.ranks // _RANKS_A_FRAME)))


def cut_into_segments(
    frames: Iterable[tuple[Frame, bool]], lengths: SegmentLengths, breaks: Container[int] = ()
) -> Iterator[Segment]:
    """Yields the segments of a stream of frames, in order, as soon as each is complete.

    frames: (frame, whether a new shot begins with it); the first frame always begins one.
    breaks: frames with which another segment begins.
    """
    index, shot, shot_start = 0, -1, 0
    halo: Frame | None = None
    held: list[Frame] = []

    for frame, begins_shot in frames:
        new_shot = begins_shot or shot < 0
        full = bool(held) and len(held) == lengths.at(held[0].index)
        if held and (new_shot or full or frame.index in breaks):
            yield Segment.of_frames(index, shot, shot_start, held, halo)
            index += 1
            halo = held[-1]
            held = []
        if new_shot:
            shot += 1
            shot_start = frame.index
            halo = None
        held.append(frame)
    if held:
        yield Segment.of_frames(index, shot, shot_start, held, halo)
