"""Whether all ranks see the same input under the same name."""

import time
from collections.abc import Callable

from fastvid.decode.fingerprint import sample_fingerprint
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.message import Kind, Message


def answer_look(comm: Communicator, message: Message) -> None:
    """Tells rank 0 what this rank sees of the input that a LOOK message names."""
    seen, text = _look(message.text())
    comm.send_text(0, Kind.SEEN, text, [message.job, int(seen)])


def ranks_that_differ(
    comm: Communicator, path: str, patience_s: float, check: Callable[[], None]
) -> list[str]:
    """Asks every other rank to look at the input; what is wrong, in words, in rank order.

    path: absolute. patience_s: for the answers; a rank may still be starting. check: called while
    waiting; it may raise.
    """
    seen, mine = _look(path)
    if not seen:
        return [f"rank {comm.rank} on {comm.peers[comm.rank].host}: {mine}"]
    for rank in range(comm.size):
        if rank != comm.rank:
            comm.send_text(rank, Kind.LOOK, path)
    missing = set(range(comm.size)) - {comm.rank}
    wrong: dict[int, str] = {}
    deadline = time.monotonic() + patience_s
    while missing and time.monotonic() < deadline:
        check()
        for message in comm.poll():
            if message.kind is not Kind.SEEN or message.header[0] != comm.job:
                continue
            missing.discard(message.source)
            if not message.header[1]:
                wrong[message.source] = message.text()
            elif message.text() != mine:
                wrong[message.source] = f"{path} is another file than on rank {comm.rank}"
        comm.rest()
    wrong.update(
        (rank, f"has not said within {patience_s:g} s whether it sees {path}") for rank in missing
    )
    return [f"rank {rank} on {comm.peers[rank].host}: {wrong[rank]}" for rank in sorted(wrong)]


def _look(path: str) -> tuple[bool, str]:
    """(True, fingerprint) or (False, why the input can't be read)."""
    try:
        return True, sample_fingerprint(path)
    except OSError as error:
        return False, f"{path}: {error.strerror}"
