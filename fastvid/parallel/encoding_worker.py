"""A rank's side of shared encoding: takes parts of the video, asks for frames, passes bytes on."""

import logging

from fastvid.parallel.dispatch import receives
from fastvid.parallel.engine.encoding import PartEncodingThread
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.messages import Encode, Encoded, Pictures, Want
from fastvid.parallel.mpi.communicator import Communicator

_log = logging.getLogger(__name__)


class EncodingWorker:
    """What a rank encodes for rank 0; its thread begins with the first part.

    receivers: of the messages for it.
    """

    def __init__(self, comm: Communicator, engine: Engine) -> None:
        self._comm = comm
        self._engine = engine
        self._thread: PartEncodingThread | None = None
        self.receivers = (
            receives(Encode, self._begin),
            receives(Pictures, self._take_pictures),
        )

    def step(self) -> bool:
        """Passes on what is encoded and asks for frames; whether there was anything to do."""
        thread, active = self._thread, False
        if thread is None:
            return False
        while not thread.chunks.empty():
            chunk = thread.chunks.get()
            active = True
            if chunk.last:
                _log.info("frames %d to %d encoded", chunk.order.first, chunk.order.stop - 1)
            self._comm.send(0, Encoded(chunk.content, chunk.last, chunk.problem))
        while (wanted := thread.wants()) is not None:
            _, start, stop = wanted
            active = True
            self._comm.send(0, Want(start, stop))
        return active

    def _begin(self, encode: Encode) -> None:
        if self._thread is None:
            self._thread = PartEncodingThread(self._comm.wake)
            self._engine.watch(self._thread.thread)
        self._thread.begin(encode.order, encode.plan)

    def _take_pictures(self, pictures: Pictures) -> None:
        if self._thread is not None:
            self._thread.take(pictures.images, pictures.times)
