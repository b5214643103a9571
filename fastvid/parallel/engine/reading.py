"""A rank's own decoding: segments dealt as numbers become tasks with frames, in a thread.

Memory: a decoder, a halo frame, and the segments that were asked for, at most as many as the rank
may hold.
"""

import queue
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fastvid.decode.film_index import SourceIndex
from fastvid.decode.random_access import WAY_OUT, FrameReader, checksum, open_reader
from fastvid.errors import OrderNeeded
from fastvid.parallel.engine.task import Place, Task
from fastvid.parallel.engine.threads import HEAVY_NICE, Failed, SideThread, Step
from fastvid.regions.planes import FramePlanes
from fastvid.system.staging import staged


@dataclass(frozen=True)
class ReadRequest:
    """A segment to be read, with the frames before it that it takes.

    checksums: of the frames to be read, as rank 0 has decoded them; empty where it has not.
    """

    place: Place
    checksums: tuple[int, ...] = ()


class SegmentReadingThread:
    """Reads the segments that it is asked for, in that order, in a thread of low priority.

    planes: reads the masks that go with the frames, if any do. stage_to: the folder to which the
    film is copied first, None: it is read as it is. events: a `Task` for each, or what
    went wrong. thread: takes the requests. wake: called at each event.
    """

    def __init__(
        self,
        index: SourceIndex,
        wake: Callable[[], object],
        planes: FramePlanes | None = None,
        stage_to: str | None = None,
    ) -> None:
        self.events: queue.SimpleQueue[Task | Failed] = queue.SimpleQueue()
        self._index = index
        self._planes = planes
        self._stage_to = Path(stage_to) if stage_to else None
        self._staged = ExitStack()
        self._wake = wake
        self._reader: FrameReader | None = None
        # As nice as the heavy stages: the temporal pass goes first.
        self.thread: SideThread[ReadRequest] = SideThread(
            self._step, self._report, HEAVY_NICE, self._close
        )

    def _report(self, event: Task | Failed) -> None:
        self.events.put(event)
        self._wake()

    def _step(self, request: ReadRequest) -> Step:
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

    def _read(self, request: ReadRequest) -> None:
        if self._reader is None:
            self._reader = self._open()
        place = request.place
        images = self._reader.read(place.first, place.stop)
        # Without checksums there is nothing to compare.
        for number, image, expected in zip(
            range(place.first, place.stop), images, request.checksums, strict=False
        ):
            if checksum(image) != expected:
                raise OrderNeeded(
                    f"{self._index.path}: frame {number} comes out differently here than on rank "
                    f"0: the file or the hosts' libraries differ.\n{WAY_OUT}"
                )
        if self._planes is not None:
            numbers = range(place.first, place.stop)
            images = list(map(self._planes.attach, numbers, images))
        self._report(place.task(images))
