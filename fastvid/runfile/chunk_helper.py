"""What is done about a chunk of a frame beside its writing, in a thread: to look through a chunk
takes about as long as to write it."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from fastvid.runfile.journal import chunk_checksum
from fastvid.system.threads import BackgroundThread, Channel
from fastvid.system.writeback import begin_writeback


class ChunkHelper:
    """A thread for one open file, which does one thing after the other until `end`. It does not
    keep the process alive: a disk may hold it up."""

    def __init__(self) -> None:
        self._work: Channel[Callable[[], None]] = Channel()
        # Not one of those that `still_busy` knows: it is busy only beside the one that stores.
        self._thread = BackgroundThread("chunks", self._run, self._fail)
        self._thread.start()

    def checksum(self, content: bytes | memoryview) -> "Future[int]":
        """The `chunk_checksum` of content that does not change until it is there."""
        result: Future[int] = Future()
        self._work.put(partial(_add_up, content, result))
        return result

    def write_back(self, descriptor: int, offset: int, size: int) -> None:
        """Lets `begin_writeback` follow a chunk that was written."""
        self._work.put(partial(begin_writeback, descriptor, offset, size))

    def end(self) -> None:
        """Waits until all is done. Harmless when called again."""
        self._work.finish()
        self._thread.join()

    def _run(self) -> None:
        for do in self._work:
            do()

    def _fail(self, error: BaseException) -> None:
        self._work.stop()


def _add_up(content: bytes | memoryview, result: "Future[int]") -> None:
    try:
        result.set_result(chunk_checksum(content))
    except BaseException as error:  # whoever waits for it must hear of it
        result.set_exception(error)
