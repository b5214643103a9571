"""Cutting a video into segments: nothing is lost, nothing crosses a cut, nothing is stretched."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastvid.decode.frame import Frame
from fastvid.parallel.segments import Segment, SegmentLengths, cut_into_segments

_IMAGE = np.zeros((1, 1, 3), np.uint8)


def segments_of(count: int, cuts: set[int], length: int) -> list[Segment]:
    frames = [(Frame(i, _IMAGE, pts=10 * i, duration=10), i in cuts) for i in range(count)]
    return list(cut_into_segments(frames, SegmentLengths(length)))


def test_an_example() -> None:
    """Shots of 5, 1 and 4 frames in segments of 2."""
    found = [
        (s.start, s.stop, s.shot, s.shot_start, s.halo and s.halo.index)
        for s in segments_of(10, {5, 6}, 2)
    ]
    assert found == [
        (0, 2, 0, 0, None),
        (2, 4, 0, 0, 1),
        (4, 5, 0, 0, 3),
        (5, 6, 1, 5, None),
        (6, 8, 2, 6, None),
        (8, 10, 2, 6, 7),
    ]


@given(count=st.integers(0, 60), cuts=st.sets(st.integers(0, 59)), length=st.integers(1, 70))
def test_every_frame_once_and_no_cut_inside(count: int, cuts: set[int], length: int) -> None:
    segments = segments_of(count, cuts, length)
    assert [f.index for s in segments for f in s.frames] == list(range(count))
    assert [s.index for s in segments] == list(range(len(segments)))
    starts = {0} | {cut for cut in cuts if cut < count}
    for segment in segments:
        assert 1 <= len(segment) == segment.stop - segment.start == len(segment.frames) <= length
        assert not any(segment.start < cut < segment.stop for cut in starts)
        assert segment.shot_start == max(cut for cut in starts if cut <= segment.start)
        assert segment.shot == sorted(starts).index(segment.shot_start)
        assert segment.begins_shot == (segment.start in starts)
        if segment.begins_shot:
            assert segment.halo is None
        else:
            assert segment.halo is not None and segment.halo.index == segment.start - 1
        ends_shot = segment.stop in starts or segment.stop == count
        assert ends_shot or len(segment) == length


def test_segments_end_at_breaks() -> None:
    """And begin to count anew there; a break where a segment ends anyway changes nothing."""
    frames = [(Frame(i, _IMAGE, pts=10 * i, duration=10), i == 0) for i in range(10)]
    found = [
        (s.start, s.stop, s.begins_shot)
        for s in cut_into_segments(frames, SegmentLengths(4), {4, 5})
    ]
    assert found == [(0, 4, True), (4, 5, False), (5, 9, False), (9, 10, False)]


def test_segments_are_shorter_at_the_beginning_and_towards_the_end() -> None:
    """Two ranks and shots of 12, 1 and 17 frames: longer by one every four frames; a third of what
    is left, rounded down."""
    frames = [(Frame(i, _IMAGE, pts=10 * i, duration=10), i in {0, 12, 13}) for i in range(30)]
    found = list(cut_into_segments(frames, SegmentLengths(5, frames=30, ranks=2), {7}))
    assert [segment.start for segment in found] == (
        # A break at 7, shots at 12 and 13.
        [0, 1, 2, 3, 4, 6, 7, 9, 12, 13, 17, 21, 24, 26, 27, 28, 29]
    )
    assert found[-1].stop == 30


@given(
    count=st.integers(1, 300),
    cuts=st.sets(st.integers(0, 299)),
    usual=st.integers(1, 20),
    ranks=st.integers(1, 70),
)
def test_no_rank_has_more_than_its_part_of_what_is_left(
    count: int, cuts: set[int], usual: int, ranks: int
) -> None:
    frames = [(Frame(i, _IMAGE, pts=10 * i, duration=10), i in cuts) for i in range(count)]
    found = list(cut_into_segments(frames, SegmentLengths(usual, count, ranks)))
    assert [frame.index for one in found for frame in one.frames] == list(range(count))
    for one in found:
        assert len(one) <= usual
        fair = (count - one.start) / ranks
        assert ranks == 1 or len(one) <= max(1, fair, ranks / 20)
        ends_shot = one.stop in cuts or one.stop == count
        # Not shorter than need be: hops cost something too.
        early = 1 + one.start // (2 * ranks)
        assert ends_shot or len(one) in {usual, early} or len(one) > fair / 1.5 - 1


def test_many_ranks_hand_over_less_often() -> None:
    """On 64 ranks the boundary frames would be the limit: never less than three frames of six."""
    frames = [(Frame(i, _IMAGE, pts=10 * i, duration=10), i == 0) for i in range(2000)]
    found = list(cut_into_segments(frames, SegmentLengths(6, 2000, 64)))
    assert {len(one) for one in found[:-1] if one.start >= 5 * 128} == {6, 5, 4, 3}
    found = list(cut_into_segments(frames, SegmentLengths(2, 2000, 64)))
    assert {len(one) for one in found if one.start >= 128} == {2}


def test_a_film_that_is_longer_than_it_promised() -> None:
    frames = [(Frame(i, _IMAGE, pts=10 * i, duration=10), False) for i in range(9)]
    found = list(cut_into_segments(frames, SegmentLengths(4, frames=6, ranks=2)))
    assert [len(one) for one in found] == [1] * 9


def test_segments_come_as_soon_as_they_are_complete() -> None:
    """Memory is bounded: of a long video no more than the next frame has been read."""
    read = []

    def endless() -> Iterator[tuple[Frame, bool]]:
        index = 0
        while True:
            read.append(index)
            yield Frame(index, _IMAGE, index, 1), False
            index += 1

    stream = cut_into_segments(endless(), SegmentLengths(4))
    for number in range(5):
        assert next(stream).start == 4 * number
        assert len(read) == 4 * (number + 1) + 1


def test_no_length_below_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SegmentLengths(0)
