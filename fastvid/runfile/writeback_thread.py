"""Sends what a run file was given on its way to the disk, in a thread: a disk whose queue is full
makes whoever asks for that wait."""

from collections.abc import Sequence

from fastvid.system.threads import BackgroundThread, Channel
from fastvid.system.writeback import begin_writeback


class WritebackThread:
    """A thread for one open file. It does not keep the process alive: a disk may hold it up."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pieces: Channel[tuple[int, int]] = Channel()
        # Not one of those that `still_busy` knows: it is busy only beside the one that stores.
        self._thread = BackgroundThread("writeback", self._run, self._fail)
        self._thread.start()

    def begin(self, pieces: Sequence[tuple[int, int]]) -> None:
        """Lets `begin_writeback` follow for pieces of the file, (offset, bytes) each; those that
        touch become one, since waking a thread takes longer than what it does."""
        joined: list[tuple[int, int]] = []
        for offset, size in sorted(pieces):
            if joined and sum(joined[-1]) == offset:
                offset, size = joined[-1][0], joined.pop()[1] + size
            joined.append((offset, size))
        for piece in joined:
            self._pieces.put(piece)

    def end(self) -> None:
        """Waits until all is done. Harmless when called again."""
        self._pieces.finish()
        self._thread.join()

    def _run(self) -> None:
        for offset, size in self._pieces:
            begin_writeback(self._descriptor, offset, size)

    def _fail(self, error: BaseException) -> None:
        self._pieces.stop()
