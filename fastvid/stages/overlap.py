"""Where a recurrent model's shots are cut so that their pieces can be painted side by side.

A shot is cut into stretches. Each but the first starts some frames early from a fresh frame,
without its past (warm-up). When its true past is known, the frame that its left neighbour ends
with, it is corrected: frames are recomputed forwards from there until they meet what is there, or
so many of them; what is left of the difference then moves along the flow and fades.

A stretch is longer than its correction, so that the frame it ends with does not depend on its left
neighbour: all stretches are computed, and then all corrected, at once. The result is a function of
these settings and of where the shots begin, not of who computed what.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from fastvid.decode.frame import Frame
from fastvid.errors import InputError
from fastvid.system.options import at_least, option


@dataclass(frozen=True)
class Overlap:
    """How shots are cut into stretches, and how the stretches are joined.

    segment: frames of a stretch. warm_up: frames that it starts early. recompute: frames that are
    computed again at most. fade: frames over which the rest of the difference fades. tolerance:
    mean difference, in 8-bit levels, below which two pasts have met.
    """

    segment: int = option(
        120, "of a stretch (default: {default})", metavar="FRAMES", check=at_least(1)
    )
    warm_up: int = option(
        8,
        "that a stretch starts early, without its past (default: {default})",
        metavar="FRAMES",
        check=at_least(1),
    )
    recompute: int = option(
        16,
        "that are painted again at most once the past is known (default: {default})",
        metavar="FRAMES",
        check=at_least(1),
    )
    tolerance: float = option(
        0.5,
        "of 255: a mean difference of less ends that (default: {default})",
        metavar="LEVELS",
        check=at_least(0, " levels"),
    )
    fade: int = option(
        8,
        "over which the rest of the difference fades along the flow (default: {default})",
        metavar="FRAMES",
        check=at_least(0),
    )

    @property
    def seam_frames(self) -> int:
        """Frames at the beginning of a stretch that wait for its correction: those that may change,
        and one that does not, from which the stretch can be gone on with."""
        return self.recompute + self.fade + 1

    def check(self) -> None:
        """Raises InputError for values that contradict each other; each by itself was looked at."""
        if self.segment < max(self.seam_frames, self.warm_up):
            raise InputError(
                f"--overlap-segment {self.segment} is too short: with --overlap-recompute "
                f"{self.recompute}, --overlap-fade {self.fade} and --overlap-warm-up "
                f"{self.warm_up} it takes at least {max(self.seam_frames, self.warm_up)} frames."
            )


class Break(Enum):
    """What begins with a frame."""

    NOTHING = 0
    STRETCH = 1
    SHOT = 2


def mark_stretches(
    frames: Iterable[tuple[Frame, bool]], overlap: Overlap
) -> Iterator[tuple[Frame, Break]]:
    """Passes frames on with what begins with each.

    frames: (frame, whether a shot begins with it); the first always begins one. What is left of a
    shot and is too short for a stretch of its own joins the stretch before: `seam_frames` frames
    are held back where a stretch may begin.
    """
    held: list[Frame] = []
    length = 0
    for frame, begins_shot in frames:
        if begins_shot or length == 0:
            yield from ((one, Break.NOTHING) for one in held)
            held, length = [], 1
            yield frame, Break.SHOT
        elif not held and length < overlap.segment:
            length += 1
            yield frame, Break.NOTHING
        else:
            held.append(frame)
            if len(held) == overlap.seam_frames:
                yield held[0], Break.STRETCH
                yield from ((one, Break.NOTHING) for one in held[1:])
                held, length = [], len(held)
    yield from ((one, Break.NOTHING) for one in held)


def seams(start: int, stop: int, overlap: Overlap) -> range:
    """The first frames of all stretches but the first of the shot [start, stop)."""
    return range(start + overlap.segment, stop - overlap.seam_frames + 1, overlap.segment)
