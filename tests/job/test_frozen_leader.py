"""Rank 0 stopped in the middle (SIGSTOP), for longer than the others wait for it."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastvid.runfile.reader import RunFile
from support.job_clips import Clip, decoded_frames
from support.launching import RunningJob
from support.places import PROGRAMS

SLOW = {"stage": "paint", "sleep": 0.05}


@pytest.mark.mpi
def test_the_others_leave_and_nothing_is_lost(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    command = [uncut_clip.path, "-o", tmp_path / "out.mkv", "--style", tiny_style]
    command += ["--cuts", "none", "--segment-length", "2", "--codec", "ffv1", "--threads", "1"]
    frozen = {"stage": "paint", "ranks": [0], "call": 4, "action": "freeze"}
    rules = json.dumps([SLOW, {**frozen, "at": str(tmp_path / "frozen-at")}])
    with RunningJob(
        [PROGRAMS / "patched.py"], [rules, *command, "--rank-timeout", "4"], ranks=3
    ) as job:
        finished = job.wait()
        assert job.processes() == []
    assert finished.status != 0
    assert f"rank 0 on {socket.gethostname()}" in finished.stderr
    assert "has been silent" in finished.stderr
    stored: dict[int, np.ndarray] = {}
    if (tmp_path / "out.h5").exists():
        with RunFile(tmp_path / "out.h5") as run:
            stored = {int(i): run.frame(int(i)) for i in np.flatnonzero(run.stored)}
    status, said = run_main(*command)
    assert status == 0 and (not stored or "frames are there" in said), said
    with RunFile(tmp_path / "out.h5") as run:
        assert run.complete and all(np.array_equal(run.frame(i), f) for i, f in stored.items())
    assert len(decoded_frames(tmp_path / "out.mkv")) == uncut_clip.frame_count
