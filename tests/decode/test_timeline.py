"""Presentation times from packets: order, gaps, repairs and lost tails."""

from fractions import Fraction

import numpy as np
import pytest

from fastvid.decode.timeline import (
    NO_TIME,
    PacketTable,
    build_timeline,
    strictly_increasing,
    with_lost_tail,
    with_missing_frames,
    without_second_fields,
)


def table(
    pts: list[int], dts: list[int] | None = None, keys: set[int] | None = None, duration: int = 10
) -> PacketTable:
    count = len(pts)
    keyframe = np.array([i in ({0} if keys is None else keys) for i in range(count)], bool)
    return PacketTable(
        np.array(pts, np.int64),
        np.array(dts if dts is not None else pts, np.int64),
        np.full(count, duration, np.int64),
        keyframe,
        np.ones(count, bool),
    )


def test_b_frames_are_put_in_presentation_order() -> None:
    timeline = build_timeline(table([0, 30, 10, 20, 60, 40, 50]), Fraction(10))
    assert timeline.times.tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert timeline.exact and timeline.position(40) == 4 and timeline.position(41) is None
    assert [timeline.duration(i) for i in (0, 6)] == [10, 10] and timeline.time(8) == 80


def test_uneven_durations() -> None:
    timeline = build_timeline(table([0, 7, 50], duration=33), Fraction(10))
    assert [timeline.duration(i) for i in range(3)] == [7, 43, 33]


def test_missing_times_come_from_decoding_times_or_the_rate() -> None:
    gone = [NO_TIME] * 4
    assert build_timeline(table(gone, [5, 6, 7, 8]), Fraction(1)).times.tolist() == [5, 6, 7, 8]
    timeline = build_timeline(table(gone, gone), Fraction(5, 2))
    assert timeline.times.tolist() == [0, 2, 5, 8] and not timeline.exact


def test_equal_times_are_moved_apart_and_said() -> None:
    timeline = build_timeline(table([0, 10, 10, 10, 12]), Fraction(10))
    assert timeline.times.tolist() == [0, 10, 11, 12, 13]
    assert not timeline.exact and "same time stamp" in timeline.notes[0]


@pytest.mark.parametrize(
    "times, expected",
    [([], []), ([3], [3]), ([1, 1, 1], [1, 2, 3]), ([0, 5, 5, 6, 20], [0, 5, 6, 7, 20])],
)
def test_strictly_increasing(times: list[int], expected: list[int]) -> None:
    assert strictly_increasing(np.array(times, np.int64)).tolist() == expected


def test_leading_pictures_of_the_first_key_frame_are_left_out() -> None:
    pts = [8, 9, 30, 10, 20, 40]
    broadcast = build_timeline(table(pts, keys={2}), Fraction(10), starts_anywhere=True)
    assert broadcast.times.tolist() == [30, 40] and "4 frames" in broadcast.notes[0]
    # A file whose first picture is not marked has lost the mark, not the picture.
    assert len(build_timeline(table(pts, keys={2}), Fraction(10))) == 6


def test_second_fields_give_no_frames() -> None:
    fields = build_timeline(table([0, 5, 10, 15, 20, 30, 35]), Fraction(10))
    assert without_second_fields(fields, 10).times.tolist() == [0, 10, 20, 30]
    frames = build_timeline(table([0, 10, 20]), Fraction(10))
    assert without_second_fields(frames, 10) is frames


def test_a_lost_tail_keeps_the_times_of_the_index() -> None:
    """Of 8 pictures with B frames the last 4 in decoding order are gone."""
    pts, dts = [10, 40, 20, 30, 70, 50, 60, 80], [0, 10, 20, 30, 40, 50, 60, 70]
    kept = build_timeline(table([*pts[:2], 20, 30], dts[:4]), Fraction(10))
    whole = with_lost_tail(kept, np.array(dts), 4)
    assert whole.times.tolist() == [10, 20, 30, 40, 50, 60, 70, 80] and whole.readable == 4
    holed = with_lost_tail(build_timeline(table(pts[:2], dts[:2]), Fraction(10)), np.array(dts), 6)
    assert holed.times.tolist() == whole.times.tolist() and holed.readable == 1


def test_a_lost_tail_of_unknown_times_follows_at_the_nominal_rate() -> None:
    kept = build_timeline(table([0, 3, 9]), Fraction(10))
    assert with_missing_frames(kept, 2, Fraction(5, 2)).times.tolist() == [0, 3, 9, 11, 14]
    assert with_missing_frames(kept, 0, Fraction(5, 2)) is kept
