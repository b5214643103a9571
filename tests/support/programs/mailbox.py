"""Every rank sends every kind of message to every other and itself and checks what comes.

    mpirun -n 3 python mailbox.py RESULTS.json DEAF   # rank 0 writes {name of check: what it found}

DEAF: the ranks without a bell, such as "0,2", or "". If there are none, nobody looks for a message
until somebody rings: a ring that is lost is a hang.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np

from fastvid.parallel import messages, segment_messages
from fastvid.parallel.engine.task import Place
from fastvid.parallel.messages import Pictures, Want
from fastvid.parallel.mpi.bell import Bell
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.launch import launched_rank
from fastvid.parallel.mpi.lifetime import connect
from fastvid.parallel.mpi.message import Body, Message, Quit
from fastvid.parallel.mpi.waiting import RUNG_SLEEP_S

SIZES = (0, 1, 7, 4096, 65537, 1_000_003, 6_000_000)
DTYPES = ("uint8", "int64", "float32", "float64")
IDLE_S = 2.0


def payload(source: int, number: int, size: int, dtype: str) -> np.ndarray:
    """The bytes that `source` sends as its message `number`."""
    generator = np.random.default_rng(1000 * source + number)
    return generator.integers(0, 200, size).astype(dtype)


_early: list[Message] = []


def collect(comm: Communicator, count: int, *bodies: type[Body]) -> list[Message]:
    """The next `count` messages with these bodies, in the order of their arrival; others, from
    ranks that are ahead of this one, are kept for later."""
    found: list[Message] = []
    while True:
        for message in list(_early):
            if isinstance(message.body, bodies) and len(found) < count:
                _early.remove(message)
                found.append(message)
        if len(found) == count:
            return found
        arrived = comm.poll()
        _early.extend(arrived)
        if not arrived:
            comm.rest()


def meet(comm: Communicator) -> None:
    """Returns when every rank has come here (QUIT counts in whatever job)."""
    for rank in range(comm.size):
        comm.send(rank, Quit(0))
    present: set[int] = set()
    for_the_next: list[Message] = []
    while len(present) < comm.size:
        (message,) = collect(comm, 1, Quit)
        if message.source in present:
            for_the_next.append(message)
        present.add(message.source)
    _early.extend(for_the_next)


def check_everything_arrives(comm: Communicator) -> str:
    """All to all, self included: sizes from nothing to megabytes, all types, order kept."""
    plan = [(size, DTYPES[position % len(DTYPES)]) for position, size in enumerate(SIZES)]
    for number, (size, dtype) in enumerate(plan):
        for dest in range(comm.size):
            images = (
                payload(comm.rank, number, size, dtype),
                np.zeros((0, 3), np.uint8),
                payload(comm.rank, number, 6, dtype).reshape(1, 2, 3),
            )
            comm.send(dest, segment_messages.Segment(Place(number, -number, 0), images))
    by_source: dict[int, list[segment_messages.Segment]] = {}
    for message in collect(comm, len(plan) * comm.size, segment_messages.Segment):
        assert isinstance(message.body, segment_messages.Segment)
        by_source.setdefault(message.source, []).append(message.body)
    assert sorted(by_source) == list(range(comm.size))
    for source, bodies in by_source.items():
        assert [body.place for body in bodies] == [Place(n, -n, 0) for n in range(len(plan))]
        for number, (body, (size, dtype)) in enumerate(zip(bodies, plan, strict=True)):
            flat, empty, cube = body.images
            assert np.array_equal(flat, payload(source, number, size, dtype))
            assert flat.dtype == np.dtype(dtype) == cube.dtype and cube.shape == (1, 2, 3)
            assert empty.shape == (0, 3) and empty.dtype == np.uint8
    assert comm.drain(120, _early.append)
    return "ok"


def check_many_to_one(comm: Communicator) -> str:
    """Rank 0 gets hundreds of messages at once, small and large mixed, without losing its order."""
    count = 150
    if comm.rank != 0:
        for number in range(count):
            size = 300_000 if number % 10 == 0 else number
            comm.send(0, segment_messages.Boundary(number, np.full(size, number % 256, np.uint8)))
        comm.send(0, messages.Failure(f"grüße von {comm.rank}", 1))
        assert comm.drain(120, _early.append)
        return "ok"
    last = dict.fromkeys(range(1, comm.size), -1)
    total = (count + 1) * (comm.size - 1)
    for message in collect(comm, total, segment_messages.Boundary, messages.Failure):
        body = message.body
        if isinstance(body, messages.Failure):
            assert body.text == f"grüße von {message.source}"
            assert last[message.source] == count - 1
            continue
        assert isinstance(body, segment_messages.Boundary)
        assert body.segment == last[message.source] + 1
        last[message.source] = body.segment
        assert (body.image == body.segment % 256).all()
    return "ok"


def check_old_jobs_are_dropped(comm: Communicator) -> str:
    """What is left over from an earlier job never reaches a later one."""
    neighbour = (comm.rank + 1) % comm.size
    old = comm.job
    comm.begin_job()
    meet(comm)
    comm.join_job(old)
    comm.send(neighbour, segment_messages.Finished(1))
    comm.begin_job()
    comm.send(neighbour, segment_messages.Finished(2))
    (message,) = collect(comm, 1, segment_messages.Finished)
    assert message.body == segment_messages.Finished(2) and message.job == comm.job == old + 1
    meet(comm)
    assert all(isinstance(message.body, Quit) for message in _early)
    assert comm.drain(120, _early.append)
    return "ok"


def check_waiting_is_cheap(comm: Communicator) -> float:
    """The share of a core that a rank takes while it waits."""
    if comm.rank == 0:
        time.sleep(IDLE_S)
        for rank in range(1, comm.size):
            comm.send(rank, Want(0, 1))
        used = [
            message.body.times.item()
            for message in collect(comm, comm.size - 1, Pictures)
            if isinstance(message.body, Pictures)
        ]
        return max(used, default=0.0)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    collect(comm, 1, Want)
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    comm.send(0, Pictures(np.array([used_s / seconds]), ()))
    assert comm.drain(120, _early.append)
    return used_s / seconds


def check_rung_by_all(comm: Communicator) -> bool:
    """Whether a rank need not look; all ranks say the same."""
    comm.send(0, messages.Seen(comm.job, comm.rung_by_all, ""))
    if comm.rank != 0:
        return comm.rung_by_all
    found = {message.body for message in collect(comm, comm.size, messages.Seen)}
    assert found == {messages.Seen(comm.job, comm.rung_by_all, "")}
    return comm.rung_by_all


def check_stop_is_heard(comm: Communicator) -> str:
    """What asks a sleeping rank to stop, a signal for one, gets through to rank 0."""
    if comm.rank == comm.size - 1:
        signal.signal(signal.SIGALRM, lambda number, frame: comm.ask_to_stop("the test"))
        signal.alarm(1)
    while comm.stop_reason is None and comm.rank in (0, comm.size - 1):
        _early.extend(comm.poll())
        comm.rest()
    comm.drain(120, _early.append)
    if comm.rank == 0:
        assert comm.stop_reason == (
            "the test" if comm.size == 1 else f"the test on rank {comm.size - 1}"
        )
    return "ok"


def check_peers(comm: Communicator) -> list[object]:
    """What every rank knows of the others."""
    assert [peer.rank for peer in comm.peers] == list(range(comm.size))
    assert len({peer.pid for peer in comm.peers}) == comm.size
    assert {peer.host for peer in comm.peers} == {comm.peers[0].host}
    return [
        comm.size,
        min(peer.cores for peer in comm.peers),
        min(peer.memory_bytes for peer in comm.peers),
    ]


CHECKS = {
    check.__name__: check
    for check in (
        check_everything_arrives,
        check_many_to_one,
        check_old_jobs_are_dropped,
        check_waiting_is_cheap,
        check_rung_by_all,
        check_peers,
        check_stop_is_heard,
    )
}


def refuse(name: str) -> str:
    """As a system does that gives a bell no name."""
    raise PermissionError(name)


def main() -> None:
    deaf = [int(rank) for rank in sys.argv[2].split(",") if rank]
    comm = connect(
        Bell(refuse) if launched_rank(os.environ) in deaf else Bell(),
        RUNG_SLEEP_S if deaf else 1e6,
    )
    found: dict[str, object] = {}
    for name, check in CHECKS.items():
        try:
            found[name] = check(comm)
        except BaseException as error:
            sys.stderr.write(f"rank {comm.rank}, {name}: {error!r}\n")
            comm.abort(1)
        meet(comm)
    if comm.rank == 0:
        Path(sys.argv[1]).write_text(json.dumps(found))
    comm.drain(120)


if __name__ == "__main__":
    main()
