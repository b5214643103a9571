"""A rank's own decoding: segments dealt as numbers become tasks with frames, in a thread; and cuts
are found in parts of the film, for rank 0, which does not look at it then.

Memory: a decoder, a halo frame, and the segments that were asked for, at most as many as the rank
may hold.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fastvid.decode.cuts import cuts_within
from fastvid.decode.film_index import SourceIndex
from fastvid.decode.frame import Frame
from fastvid.decode.random_access import WAY_OUT, FrameReader, checksum, open_reader
from fastvid.errors import OrderNeeded
from fastvid.parallel.engine.task import Place, Task
from fastvid.parallel.engine.threads import HEAVY_NICE, Failed, SideThread, Step
from fastvid.regions.planes import FramePlanes
from fastvid.system.staging import staged


@dataclass(frozen=True)
class ReadRequest:
    """A segment to be read, with the frames before it that it takes.

    checksums: of the frames to be read, as whoever has looked for cuts has decoded them; empty
    where nobody has.
    """

    place: Place
    checksums: tuple[int, ...] = ()


@dataclass(frozen=True)
class CutsRequest:
    """Frames [start, stop) among which cuts are to be found, by those of [first, end)."""

    start: int
    stop: int
    first: int
    end: int


@dataclass(frozen=True)
class FoundCuts:
    """The cuts from frame `start` on that a `CutsRequest` has asked for. checksums: of its frames
    [start, stop)."""

    start: int
    cuts: tuple[int, ...]
    checksums: tuple[int, ...]


class SegmentReadingThread:
    """Reads the segments that it is asked for, and looks for cuts, in the order in which it is
    asked, in a thread of low priority.

    planes: reads the masks that go with the frames, if any do. stage_to: the folder to which the
    film is copied first, None: it is read as it is. events: a `Task` or `FoundCuts` for
    each, or what went wrong. thread: takes the requests. wake: called at each event.
    """

    def __init__(
        self,
        index: SourceIndex,
        wake: Callable[[], object],
        planes: FramePlanes | None = None,
        stage_to: str | None = None,
    ) -> None:
        self.events: queue.SimpleQueue[Task | FoundCuts | Failed] = queue.SimpleQueue()
        self._index = index
        self._planes = planes
        self._stage_to = Path(stage_to) if stage_to else None
        self._staged = ExitStack()
        self._wake = wake
        self._reader: FrameReader | None = None
        # As nice as the heavy stages: the temporal pass goes first.
        self.thread: SideThread[ReadRequest | CutsRequest] = SideThread(
            self._step, self._report, HEAVY_NICE, self._close
        )

    def _report(self, event: Task | FoundCuts | Failed) -> None:
        self.events.put(event)
        self._wake()

    def _step(self, request: ReadRequest | CutsRequest) -> Step:
        if isinstance(request, CutsRequest):
            return Step(
                f"looking for cuts from frame {request.start} on", partial(self._find_cuts, request)
            )
        place = request.place
        return Step(
            f"reading frames {place.first} to {place.stop - 1}", partial(self._read, request)
        )

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._planes is not None:
            self._planes.close()
        self._staged.close()

    def _open(self) -> FrameReader:
        """The film, or the copy of it on this host, which whoever is first here makes."""
        # However long that takes, this rank is not stuck.
        copy = staged(Path(self._index.path), self._stage_to, self.thread.go_on)
        path = self._staged.enter_context(copy)
        return open_reader(replace(self._index, path=str(path)))

    def _opened(self) -> FrameReader:
        if self._reader is None:
            self._reader = self._open()
        return self._reader

    def _find_cuts(self, request: CutsRequest) -> None:
        reader, checksums = self._opened(), []

        def frames() -> Iterator[Frame]:
            for number in range(request.first, request.end):
                image = reader.read(number, number + 1)[0]
                if request.start <= number < request.stop:
                    checksums.append(checksum(image))
                yield Frame(number, image, 0, 0)
                self.thread.go_on()

        cuts = cuts_within(frames(), request.start, request.stop)
        self._report(FoundCuts(request.start, tuple(cuts), tuple(checksums)))

    def _read(self, request: ReadRequest) -> None:
        place = request.place
        images = self._opened().read(place.first, place.stop)
        # Without checksums there is nothing to compare.
        for number, image, expected in zip(
            range(place.first, place.stop), images, request.checksums, strict=False
        ):
            if checksum(image) != expected:
                raise OrderNeeded(
                    f"{self._index.path}: frame {number} comes out differently here than on "
                    f"another rank: the file or the hosts' libraries differ.\n{WAY_OUT}"
                )
        if self._planes is not None:
            numbers = range(place.first, place.stop)
            images = list(map(self._planes.attach, numbers, images))
        self._report(place.task(images))
