"""Whether rank 0 computes and encodes along, beside what it alone does."""

import time

from fastvid.job.gather import Gatherer
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.stopwatch import Stopwatch

# Rank 0 computes as long as decoding, messages, storing and encoding take less than this share of
# its cores; beyond it would hold up all others.
COMPUTE_BELOW_LOAD = 0.5
# It encodes what others could encode as long as all but that takes less than this share.
ENCODE_BELOW_LOAD = 0.5
# Nor does it where there are so many ranks: its encoder gives way to painting, and a part that it
# has begun near the end is waited for (played through: 280 frames on 16 ranks 0.76 to 0.87; with
# fewer ranks half a percent is lost, as each frame goes out once more).
RANKS_ENCODE_ALONE = 8
# For so long nothing is known yet.
_FIRST_S = 1.0


class Rank0Load:
    """What rank 0 has to do besides, since this was made in its main thread.

    decoding: counts its decoding. compute_below: the load, in shares of its cores, beyond which it
    does not compute where others do. encode_below: that beyond which it leaves encoding to them.
    """

    def __init__(
        self,
        comm: Communicator,
        decoding: Stopwatch,
        gatherer: Gatherer,
        compute_below: float = COMPUTE_BELOW_LOAD,
        encode_below: float = ENCODE_BELOW_LOAD,
    ) -> None:
        self._alone = comm.size == 1
        self._many = comm.size >= RANKS_ENCODE_ALONE
        self._cores = comm.peers[comm.rank].cores
        self._decoding = decoding
        self._gatherer = gatherer
        self._compute_below = compute_below
        self._encode_below = encode_below
        self._began, self._main_began = time.monotonic(), time.thread_time()

    def may_compute(self) -> bool:
        """Whether rank 0 may be dealt a segment; asked in its main thread."""
        if self._alone:
            return True
        return self._share(self._gatherer.cpu_seconds()) < self._compute_below

    def may_encode(self) -> bool:
        """Whether rank 0 may begin another part of the video; asked in its main thread."""
        if self._many:
            return False
        return self._alone or (
            self._share(self._gatherer.storing_cpu_seconds()) < self._encode_below
        )

    def _share(self, gathering_s: float) -> float:
        """What decoding, messages and so much of the gatherer's work take of rank 0's cores. By the
        processor: on a busy machine, or a slow disk, these threads mostly wait."""
        busy = self._decoding.cpu_seconds + gathering_s + time.thread_time() - self._main_began
        elapsed = max(time.monotonic() - self._began, _FIRST_S)
        return busy / (self._cores * elapsed)
