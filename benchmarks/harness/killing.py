"""Ways to kill a run, and moments for it."""

import random
import signal
import time
from dataclasses import replace

from fastvid.errors import EXIT_BAD_INPUT
from fastvid.runfile.lock import lock_owner
from harness.running import Command, Peace, Run, as_busy_as

# Longer than this after a kill, and the program hangs; on a busy machine in proportion.
HANG_S = 30.0
# A run in peace; generous, for machines that are slow.
PATIENCE_S = 300.0
POLL_S = 0.005
_KILL_RANK, _TERMINATE, _EVERYBODY = "kill a rank", "terminate mpirun", "kill everybody"
STOP, TWO, OTHER = "stop and continue", "two at once", "another style"
CALL, NODE = "at a system call", "the node dies"
WAYS = (_KILL_RANK, "kill mpirun", _TERMINATE, _EVERYBODY, STOP, TWO, OTHER, CALL, NODE)
MOMENTS = ("starting", "computing", "finishing")
# Batch systems send SIGTERM more than once; mpirun loses one that comes before it is listening.
_REPEAT_S = 5.0
# Looking through all processes of the machine takes its time.
_LOOK_AROUND_S = 0.05
# A program is stopped for up to so long before it may go on.
_LONGEST_STOP_S = 3.0
# The clip's first segments are stored and its output is put together in about this time.
_JITTER_S = 0.3
# So much of the run file is there, and the last frames are stored.
_NEARLY_ALL = 0.98


def wait_for_moment(run: Run, peace: Peace, moment: str, dice: random.Random) -> None:
    """Until the run has come to a random point of its start, its work or its end."""
    output = run.folder / dice.choice(list(run.command.outputs().values()))
    run_file = output.with_suffix(".h5")
    size = run_file.stat().st_size if run_file.exists() else 0
    share, pause = dice.random(), dice.random() * _JITTER_S
    began = time.monotonic()
    while run.mpirun.poll() is None:
        now = run_file.stat().st_size if run_file.exists() else 0
        if moment == "starting" and time.monotonic() - began > share * peace.starting_s:
            return
        if moment == "computing" and now > size + share * (peace.run_bytes - size):
            return
        parts = output.with_name(f".{output.name}.parts")
        if moment == "finishing" and now >= _NEARLY_ALL * peace.run_bytes and parts.exists():
            break
        if time.monotonic() - began > as_busy_as(PATIENCE_S) or output.exists():
            return
        time.sleep(POLL_S)
    time.sleep(pause)


def kill(run: Run, way: str, dice: random.Random) -> bool:
    """Does what the way says; whether the program is gone in time, or comes to its end where it was
    only stopped for a while."""
    if way == CALL:
        _wait_for_a_death(run)
    deadline = time.monotonic() + as_busy_as(HANG_S)
    if way == STOP:
        _stop_for_a_while(run, dice)
        return run.wait_gone(as_busy_as(PATIENCE_S))
    if way == _TERMINATE:
        while time.monotonic() < deadline - _REPEAT_S:
            run.send(signal.SIGTERM, [run.mpirun.pid])
            if run.gone_within(_REPEAT_S):
                return True
    elif way in (_EVERYBODY, NODE):
        run.send(signal.SIGKILL)
    elif way == CALL:
        pass  # it has killed itself
    elif way == _KILL_RANK and (ranks := sorted(run.processes(only_ranks=True))):
        run.send(signal.SIGKILL, [dice.choice(ranks)])
    else:
        run.send(signal.SIGKILL, [run.mpirun.pid])
    return run.wait_gone(deadline - time.monotonic())


def _wait_for_a_death(run: Run) -> None:
    """Until a rank that was there is gone, or all of it."""
    seen, began = set[int](), time.monotonic()
    while run.mpirun.poll() is None and time.monotonic() - began < PATIENCE_S:
        now = set(run.processes(only_ranks=True))
        if seen - now:
            return
        seen |= now
        time.sleep(_LOOK_AROUND_S)


def _stop_for_a_while(run: Run, dice: random.Random) -> None:
    """SIGSTOP to a rank or to all of them, later SIGCONT."""
    ranks = sorted(run.processes(only_ranks=True))
    chosen = dice.sample(ranks, dice.choice((1, len(ranks)))) if ranks else []
    run.send(signal.SIGSTOP, chosen)
    time.sleep(dice.random() * _LONGEST_STOP_S)
    run.send(signal.SIGCONT, chosen)


def refused(run: Run, dice: random.Random) -> bool:
    """Starts a second command with the output of one that is under way; whether it is refused, and
    the first is not disturbed."""
    films = [run.folder / output for output in run.command.outputs().values()]
    began = time.monotonic()
    while not all(map(lock_owner, films)):
        if run.mpirun.poll() is not None or time.monotonic() - began > as_busy_as(PATIENCE_S):
            return True  # it has come to its end, or has not begun yet
        time.sleep(POLL_S)
    second = Run(run.folder, 1, _second(run.command, dice), "second.txt")
    ended = second.wait_gone(as_busy_as(PATIENCE_S))
    second.close()
    if not all(map(lock_owner, films)):
        # It came to its end meanwhile.
        return all(film.exists() for film in films)
    return ended and second.mpirun.returncode == EXIT_BAD_INPUT


def _second(command: Command, dice: random.Random) -> Command:
    """A command with the same outputs, or one of them; with the same run files or others."""
    more = dice.choice(((), ("--run-file", "second.h5"), ("--run-file", "second.h5", "--restart")))
    style, output = dice.choice(list(command.outputs().items()))
    only = replace(command, styles=(style,), output=str(output))
    return replace(dice.choice((command, only)), more=more)
