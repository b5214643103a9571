"""The Python interface under mpirun: whatever is raised on whatever rank, all end their call."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from fastvid.commands.together import exit_status, in_words
from fastvid.errors import InputError, RemoteError
from support.job_clips import Clip
from support.launching import Finished, RunningJob
from support.places import PROGRAMS

HOST = socket.gethostname()


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InputError("no film"), 2, "no film"),
        (RemoteError("rank 3: gone", 7), 7, "rank 3: gone"),
        (KeyboardInterrupt(), 130, "KeyboardInterrupt"),
        (SystemExit(5), 5, "SystemExit: 5"),
        (SystemExit(0), 1, "SystemExit: 0"),  # it has left all the same
        (TypeError("no 'colour'"), 1, "TypeError: no 'colour'"),
    ],
)
def test_every_error_has_a_status_and_words(error: BaseException, status: int, words: str) -> None:
    assert exit_status(error) == status and in_words(error) == words


def run(calls: list[dict[str, Any]], *how: str, ranks: int) -> Finished:
    """Runs the calls on so many ranks; every process is gone afterwards."""
    program = [PROGRAMS / "python_interface.py"]
    with RunningJob(program, [json.dumps(calls), *how], ranks=ranks) as job:
        finished = job.wait()
        assert job.processes() == []
    return finished


@pytest.fixture
def call(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "input": str(uncut_clip.path),
        "output": str(tmp_path / "out.mkv"),
        "style": str(tiny_style),
        "cuts": "none",
        "threads": 1,
        "progress": "none",
        "frames": [0, 6],
    }


@pytest.mark.mpi
def test_every_rank_raises_and_the_next_call_goes_well(call: dict[str, Any]) -> None:
    """A misspelt option, then errors of many kinds on rank 0 and on another one."""
    troubles = [
        (0, "OSError"),
        (0, "MemoryError"),
        (0, "KeyboardInterrupt"),
        (1, "ValueError"),
        (1, "KeyboardInterrupt"),
        (1, "OSError"),
    ]
    calls = [{**call, "stlye": "wave"}, *({**call, "trouble": one} for one in troubles), call]
    finished = run(calls, ranks=3)
    assert finished.status == 0, finished.stderr
    told = [
        [line for line in finished.stdout.splitlines() if line.startswith(f"rank {rank}: ")]
        for rank in range(3)
    ]
    misspelt = "StylizeOptions.__init__() got an unexpected keyword argument 'stlye'"
    bad, here = "the weather is bad", f"rank 1 on {HOST}"
    assert told[0] == [
        f"rank 0: TypeError: {misspelt}",
        f"rank 0: OSError: {bad}",
        f"rank 0: MemoryError: {bad}",
        f"rank 0: KeyboardInterrupt: {bad}",
        f"rank 0: RemoteError 1: {here}: ValueError: {bad}",
        f"rank 0: RemoteError 130: {here}: KeyboardInterrupt: {bad}",
        f"rank 0: RemoteError 1: {here}: this rank can't start: OSError: {bad}",
        "rank 0: 6 frames in out.mkv",
    ]
    assert told[2] == [
        f"rank 2: RemoteError 1: rank 0: TypeError: {misspelt}",
        f"rank 2: RemoteError 1: rank 0: OSError: {bad}",
        f"rank 2: RemoteError 1: rank 0: MemoryError: {bad}",
        f"rank 2: RemoteError 130: rank 0: KeyboardInterrupt: {bad}",
        f"rank 2: RemoteError 1: rank 0: {here}: ValueError: {bad}",
        f"rank 2: RemoteError 130: rank 0: {here}: KeyboardInterrupt: {bad}",
        f"rank 2: RemoteError 1: rank 0: {here}: this rank can't start: OSError: {bad}",
        "rank 2: None",
    ]
    assert told[1][4:6] == [f"rank 1: ValueError: {bad}", f"rank 1: KeyboardInterrupt: {bad}"]
    assert told[1][-1] == "rank 1: None"


@pytest.mark.mpi
@pytest.mark.parametrize("rank", [0, 1])
def test_a_script_that_catches_nothing_ends_on_every_rank(rank: int, call: dict[str, Any]) -> None:
    finished = run([{**call, "trouble": (rank, "ValueError")}], "uncaught", ranks=2)
    assert finished.status != 0
    assert "ValueError: the weather is bad" in finished.stderr
    assert "fastvid.errors.RemoteError: rank " in finished.stderr


@pytest.mark.mpi
def test_a_rank_that_never_makes_the_call_does_not_hold_up_the_end(call: dict[str, Any]) -> None:
    """MPI would wait for it in its own end."""
    finished = run([{**call, "stlye": "wave", "trouble": (1, "stop")}], ranks=2)
    assert finished.status != 0
    assert "rank 0: TypeError: " in finished.stdout
