"""When each frame is shown: the presentation times that the packets promise, before decoding."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

# Stands for "not given" among int64 times (as libav's AV_NOPTS_VALUE).
NO_TIME = -(2**63)


@dataclass(frozen=True)
class PacketTable:
    """The coded pictures of one stream in decoding order, one element each.

    pts, dts, duration: (N,) int64 in the stream's time base; NO_TIME and 0 where not given.
    keyframe: (N,) bool. shown: (N,) bool, False for what is there only so that others can be
    decoded (before the start of an edit).
    """

    pts: np.ndarray
    dts: np.ndarray
    duration: np.ndarray
    keyframe: np.ndarray
    shown: np.ndarray

    def __len__(self) -> int:
        return len(self.pts)

    def select(self, chosen: np.ndarray) -> "PacketTable":
        """The chosen ones. chosen: (N,) bool."""
        return PacketTable(
            self.pts[chosen],
            self.dts[chosen],
            self.duration[chosen],
            self.keyframe[chosen],
            self.shown[chosen],
        )

    @property
    def complete(self) -> bool:
        """Whether every picture has a presentation time."""
        return bool((self.pts != NO_TIME).all())

    @property
    def in_decoding_order(self) -> bool:
        """Whether the presentation times grow from packet to packet, as without B-frames."""
        return len(self) > 1 and self.complete and bool((np.diff(self.pts) > 0).all())


@dataclass(frozen=True)
class Timeline:
    """Presentation times of the frames that a stream should give.

    times: (N,) int64, strictly increasing, in the stream's time base, one for each expected frame.
    last_duration: of the last frame, same unit, at least 1.
    exact: True if the times are the packets' own, so that a decoded frame is known by its pts.
    readable: how many of the frames come before the file's end or its first hole; less than
        len(times) in a truncated file.
    notes: what was left out or repaired.
    """

    times: np.ndarray
    last_duration: int
    exact: bool
    readable: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def position(self, pts: int) -> int | None:
        """Index of the frame shown at `pts`, None if there is none."""
        index = int(np.searchsorted(self.times, pts))
        return index if index < len(self.times) and self.times[index] == pts else None

    def time(self, index: int) -> int:
        """When frame `index` is shown; frames that nobody promised follow the last one."""
        beyond = index - (len(self.times) - 1)
        if beyond > 0:
            return int(self.times[-1]) + beyond * self.last_duration
        return int(self.times[index])

    def duration(self, index: int) -> int:
        """How long frame `index` is shown: until the next one, the last for its own duration."""
        return self.time(index + 1) - self.time(index)


def build_timeline(
    packets: PacketTable,
    frame_period: Fraction,
    starts_anywhere: bool = False,
    decodable: frozenset[int] = frozenset(),
) -> Timeline:
    """Presentation times from the packets of one stream.

    frame_period: nominal frame duration in units of the time base (may be fractional), for what
    the packets do not say. starts_anywhere: the format is one of recordings that may begin
    between two key frames; elsewhere the first picture is taken for a key frame. decodable: times
    of pictures that are shown before the first key frame and can be decoded all the same.
    """
    usable, notes = _from_first_keyframe(packets, starts_anywhere, decodable)
    if not len(usable):
        return Timeline(np.zeros(0, np.int64), 1, False, 0, notes)
    times = np.unique(usable.pts) if usable.complete else _derived_times(usable, frame_period)
    exact = usable.complete and len(times) == len(usable)
    last_duration = max(1, round(frame_period))
    if usable.complete:
        last = int(np.argmax(usable.pts))
        last_duration = int(usable.duration[last]) or last_duration
    if usable.complete and not exact:
        times = moved_apart(np.sort(usable.pts), last_duration)
        notes += ("several frames have the same time stamp; they are moved apart",)
    return Timeline(times, max(1, last_duration), exact, len(times), notes)


def counted_timeline(packets: PacketTable, frame_period: Fraction) -> Timeline:
    """The timeline of a stream whose presentation times are those of decoding: they can't tell
    which frame is which, so that frames are counted.

    All pictures are shown, those before an edit too: which they are, wrong times can't tell. The
    first one takes the time at which the edit begins.
    """
    given = packets.dts if (packets.dts != NO_TIME).all() else packets.pts
    times = strictly_increasing(np.sort(given))
    if packets.shown.any():
        times += given[np.flatnonzero(packets.shown)[0]] - times[0]
    return Timeline(
        times,
        int(packets.duration[-1]) or max(1, round(frame_period)),
        False,
        len(times),
        ("its time stamps follow the decoding order; all pictures are shown, in their own order",),
    )


def leading_times(packets: PacketTable, starts_anywhere: bool) -> frozenset[int]:
    """Times of the pictures that are decoded after the first key frame and shown before it."""
    first = _first_keyframe(packets, starts_anywhere)
    if first is None or packets.pts[first] == NO_TIME:
        return frozenset()
    after = np.arange(len(packets)) > first
    leading = after & packets.shown & (packets.pts != NO_TIME) & (packets.pts < packets.pts[first])
    return frozenset(packets.pts[leading].tolist())


def _first_keyframe(packets: PacketTable, starts_anywhere: bool) -> int | None:
    keyframes = np.flatnonzero(packets.keyframe)
    if not len(keyframes):
        return None
    return int(keyframes[0]) if starts_anywhere else 0


def _from_first_keyframe(
    packets: PacketTable, starts_anywhere: bool, decodable: frozenset[int]
) -> tuple[PacketTable, tuple[str, ...]]:
    """What is shown, without the pictures that precede the first key frame in decoding or
    presentation order, unless they are decodable.

    They refer to pictures that this file does not have.
    """
    first = _first_keyframe(packets, starts_anywhere)
    if first is None:
        return packets.select(packets.shown), ()
    usable = np.arange(len(packets)) >= first
    if packets.pts[first] != NO_TIME:
        known = np.isin(packets.pts, list(decodable))
        usable &= known | (packets.pts == NO_TIME) | (packets.pts >= packets.pts[first])
    dropped = int((packets.shown & ~usable).sum())
    shown = packets.select(packets.shown & usable)
    if not dropped:
        return shown, ()
    return shown, (
        f"{dropped} frames before the first key frame need pictures that the file does not have; "
        "they are left out",
    )


def _derived_times(packets: PacketTable, frame_period: Fraction) -> np.ndarray:
    """The decoding times, begun at the first known pts; where one is missing, the nominal rate."""
    given = packets.pts[packets.pts != NO_TIME]
    if (packets.dts != NO_TIME).all():
        times = moved_apart(np.sort(packets.dts), max(1, round(frame_period)))
        return times + (int(given.min()) - int(times[0]) if packets.pts[0] != NO_TIME else 0)
    known = np.where(packets.pts != NO_TIME, packets.pts, packets.dts)
    known = known[known != NO_TIME]
    start = int(known.min()) if len(known) else 0
    nominal = [start + round(i * frame_period) for i in range(len(packets))]
    return strictly_increasing(np.array(nominal, np.int64))


def moved_apart(times: np.ndarray, last_duration: int) -> np.ndarray:
    """Sorted times, those that are equal spread evenly up to the next one.

    last_duration: for the last ones if there are no others.
    """
    starts, first, counts = np.unique(times, return_index=True, return_counts=True)
    last_step = starts[-1] - starts[-2] if len(starts) > 1 else last_duration * counts[-1]
    ends = np.append(starts[1:], starts[-1] + last_step)
    steps = (np.arange(len(times)) - np.repeat(first, counts)) * np.repeat(ends - starts, counts)
    return strictly_increasing(times + steps // np.repeat(counts, counts))


def strictly_increasing(times: np.ndarray) -> np.ndarray:
    """Sorted times, each moved to at least one unit after the one before."""
    steps = np.arange(len(times))
    return np.maximum.accumulate(times - steps) + steps


def without_second_fields(timeline: Timeline, frame_period: int) -> Timeline:
    """The timeline of a stream whose fields are coded as packets of their own.

    The second field follows half a frame after the first and gives no frame of its own.
    frame_period: time between decoded frames, as seen, in units of the time base.
    """
    kept = [int(timeline.times[0])]
    for time in timeline.times.tolist():
        if 5 * (time - kept[-1]) > 3 * frame_period:
            kept.append(time)
    if len(kept) == len(timeline.times):
        return timeline
    return replace(
        timeline, times=np.array(kept, np.int64), last_duration=frame_period, readable=len(kept)
    )


def with_lost_tail(timeline: Timeline, all_dts: np.ndarray, lost: int) -> Timeline:
    """The timeline of a truncated file whose index still names the pictures that are gone.

    all_dts: decoding times of all pictures in the index; lost: how many are beyond the file's end.
    The index has no presentation times, but the sorted decoding times plus one constant are the
    presentation times of any stream with even spacing. Where that does not match what is known,
    the lost pictures follow the last known one.
    """
    candidates = np.sort(all_dts)
    candidates = candidates - candidates[0] + timeline.times[0]
    missing = np.setdiff1d(candidates, timeline.times)
    if len(missing) != lost:
        return with_missing_frames(timeline, lost, Fraction(timeline.last_duration))
    return _extended(timeline, missing)


def with_missing_frames(timeline: Timeline, count: int, frame_period: Fraction) -> Timeline:
    """The timeline with `count` more frames after its end, at the nominal rate."""
    last = int(timeline.times[-1])
    later = [last + round((i + 1) * frame_period) for i in range(count)]
    return _extended(timeline, strictly_increasing(np.array([last, *later], np.int64))[1:])


def _extended(timeline: Timeline, missing: np.ndarray) -> Timeline:
    if not len(missing):
        return timeline
    readable = int(np.searchsorted(timeline.times, missing[0]))
    return replace(timeline, times=np.union1d(timeline.times, missing), readable=readable)
