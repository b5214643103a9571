"""Whether all ranks see the same input under the same name."""

from collections.abc import Callable

from fastvid.decode.fingerprint import sample_fingerprint
from fastvid.parallel import messages
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.awake import Patience


def answer_look(comm: Communicator, job: int, look: messages.Look) -> None:
    """Tells rank 0 what this rank sees of the input that it was asked for in that job."""
    readable, text = _look(look.path)
    comm.send(0, messages.Seen(job, readable, text))


def ranks_that_differ(
    comm: Communicator, path: str, patience_s: float, check: Callable[[], None]
) -> list[str]:
    """Asks every other rank to look at the input; what is wrong, in words, in rank order.

    path: absolute. patience_s: for the answers; a rank may still be starting. check: called while
    waiting; it may raise.
    """
    readable, mine = _look(path)
    if not readable:
        return [f"{comm.peers[comm.rank]}: {mine}"]
    comm.send_all(messages.Look(path))
    missing = set(range(comm.size)) - {comm.rank}
    wrong: dict[int, str] = {}
    patience = Patience(patience_s)
    while missing and not patience.over():
        check()
        for message in comm.poll():
            seen = message.body
            if not isinstance(seen, messages.Seen) or seen.job != comm.job:
                continue
            missing.discard(message.source)
            if not seen.readable:
                wrong[message.source] = seen.text
            elif seen.text != mine:
                wrong[message.source] = f"{path} is another file than on rank {comm.rank}"
        comm.rest()
    wrong.update(
        (rank, f"has not said within {patience_s:g} s whether it sees {path}") for rank in missing
    )
    return [f"{comm.peers[rank]}: {wrong[rank]}" for rank in sorted(wrong)]


def _look(path: str) -> tuple[bool, str]:
    """(True, fingerprint) or (False, why the input can't be read)."""
    try:
        return True, sample_fingerprint(path)
    except OSError as error:
        return False, f"{path}: {error.strerror}"
