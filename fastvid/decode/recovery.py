"""Gives every decoded frame its number, and every frame that can't be decoded a substitute."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from av.video.frame import VideoFrame

from fastvid.decode.failure import Failure
from fastvid.decode.scan import Scan
from fastvid.decode.source import format_part
from fastvid.errors import InputError


@dataclass(frozen=True)
class Placed:
    """A picture and its number in the file."""

    index: int
    picture: VideoFrame


class Recovery:
    """Turns decoder events into one picture for each frame that the file should have.

    A decoded frame is known by its pts where the packets have unique ones; what is between it and
    the one before was lost. Otherwise frames are counted, and a failure takes the next number.
    Nothing is ever skipped: a lost frame shows the last good picture again (the first good one
    if there is none before it).

    part: (first, stop) frame numbers; outside it nothing is an error. keep_going: False raises
    InputError at the first lost or visibly damaged frame of the part. damage: gets the messages.
    A gap without any reported failure is filled and noted, and never an error: some
    streams have packets that stand for "show the last picture again".
    """

    def __init__(
        self,
        path: str,
        scan: Scan,
        part: tuple[int, int | None],
        keep_going: bool,
        damage: list[str],
    ) -> None:
        self._path, self._scan, self._timeline = path, scan, scan.timeline
        self._part, self._keep_going, self._damage = part, keep_going, damage
        self._next = 0
        self._last: VideoFrame | None = None
        self._failure = ""
        # Frames lost before the first good one, where frames are counted.
        self._owed = 0

    def place(self, events: Iterable[VideoFrame | Failure]) -> Iterator[Placed]:
        """Pictures with numbers 0, 1, 2, ... without gaps."""
        for event in events:
            if isinstance(event, Failure):
                self._failure = event.reason
                if event.loses_frame and not self._timeline.exact:
                    self._owed += self._last is None
                    yield from self._fill(self._next + 1)
                continue
            index = self._number(event)
            if index is None:
                continue
            yield from self._fill(index, event)
            if event.is_corrupt:
                self._report_visible_damage(index)
            yield Placed(index, event)
            self._next, self._last = index + 1, event
        if self._timeline.exact or self._failure or self._scan.cut_short:
            yield from self._fill(len(self._timeline))
        if self._scan.cut_short and self._reaches_end():
            self._damage.append(f"the file is cut short ({self._scan.cut_short})")

    def _number(self, frame: VideoFrame) -> int | None:
        """The frame's number; None for what the file should not show (before the first key frame,
        or twice)."""
        if not self._timeline.exact or frame.pts is None:
            owed, self._owed = self._owed, 0
            return self._next + owed
        if frame.pts < self._timeline.time(0):
            return None
        index = self._timeline.position(frame.pts)
        if index is None:
            return self._next
        return index if index >= self._next else None

    def _reaches_end(self) -> bool:
        stop = self._part[1]
        return stop is None or stop > self._timeline.readable

    def _in_part(self, index: int) -> bool:
        first, stop = self._part
        return index >= first and (stop is None or index < stop)

    def _fill(self, stop: int, following: VideoFrame | None = None) -> Iterator[Placed]:
        """Substitutes for the frames from the next expected one to `stop`."""
        start = self._next
        substitute = self._last or following
        if stop <= start or substitute is None:
            return
        inside = [i for i in (start, stop - 1) if self._in_part(i)]
        touched = bool(inside) or (start < self._part[0] < stop)
        why = self._failure or self._scan.cut_short
        if touched and why and not self._keep_going:
            self._stop(max(start, self._part[0]), why)
        if touched:
            self._damage.append(self._describe(start, stop, why))
        for index in range(start, stop):
            self._next = index + 1
            yield Placed(index, substitute)

    def _describe(self, start: int, stop: int, why: str) -> str:
        which = f"frame {start}" if stop - start == 1 else f"frames {start} to {stop - 1}"
        what = f"could not be decoded ({why})" if why else "gave no picture"
        spread = "; those up to the next key frame may look wrong" if why else ""
        shown = (
            "the last good picture is repeated"
            if self._last is not None
            else "the first good picture is shown"
        )
        return f"{which} (from {self._seconds(start):.2f} s) {what}; {shown}{spread}"

    def _report_visible_damage(self, index: int) -> None:
        if not self._in_part(index):
            return
        if not self._keep_going:
            self._stop(index, self._failure or "the decoder reports damage")
        self._damage.append(
            f"frame {index} (at {self._seconds(index):.2f} s) is damaged; it is "
            "shown as far as the decoder could repair it"
        )

    def _stop(self, index: int, why: str) -> None:
        ways = "--on-error keep-going repeats the last good frame instead"
        if index > self._part[0]:
            ways += f", --frames {format_part(self._part[0], index)} takes what comes before"
        else:
            ways += f", --frames {index + 1}: starts after it"
        sound = (
            f"the {index} frames before it can, up to {self._seconds(index):.2f} s"
            if index
            else "it is the first one"
        )
        raise InputError(
            f"{self._path}: frame {index} (at {self._seconds(index):.2f} s) can't be "
            f"decoded ({why}); {sound}.\n{ways}"
        )

    def _seconds(self, index: int) -> float:
        return float((self._timeline.time(index) - self._timeline.time(0)) * self._scan.time_base)
