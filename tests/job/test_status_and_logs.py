"""What a run tells of itself: to `fastvid status` from its run file, and in its ranks' logs."""

import json
import re
import socket
from pathlib import Path

import pytest

from fastvid.__main__ import main
from support.job_clips import Clip
from support.launching import RunningJob, run_fastvid, stored_count, wait_for_frames, wait_for_lock
from support.places import PROGRAMS

pytestmark = pytest.mark.mpi

SLOW = json.dumps([{"stage": "paint", "sleep": 0.2}])


def status_of(run_file: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """What `fastvid status` says."""
    capfd.readouterr()
    assert main(["status", str(run_file)]) == 0
    return capfd.readouterr().out


def test_status_tells_what_is_left_and_who_was_last_heard(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also of a run that nobody could end in good order."""
    run_file = tmp_path / "out.h5"
    command = [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        tiny_style,
        "--cuts",
        "none",
        "--segment-length",
        "1",
        "--threads",
        "1",
    ]
    with RunningJob([PROGRAMS / "patched.py"], [SLOW, *command], ranks=2) as job:
        wait_for_frames(job, run_file, 3)
        job.kill()
    wait_for_lock(run_file)
    done, total, host = stored_count(run_file), uncut_clip.frame_count, socket.gethostname()
    told = status_of(run_file, capfd)
    assert "not complete; the same command goes on from here" in told
    assert f"{done} of {total} frames stored, {total - done} left" in told
    for rank in range(2):
        heard = rf"rank {rank} on {re.escape(host)} \(process \d+\): .+, heard .+ ago"
        assert re.search(heard, told), told
    assert main([str(word) for word in command]) == 0
    told = status_of(run_file, capfd)
    assert f"{run_file}: complete" in told and f"{total} of {total} frames stored, 0 left" in told


def test_every_rank_has_a_log_on_demand(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> None:
    command = [uncut_clip.path, "--style", tiny_style, "--cuts", "none", "--segment-length", "1"]
    logs = tmp_path / "logs"
    finished = run_fastvid(
        *command, "-o", tmp_path / "a.mkv", "--log-dir", logs, "--log-level", "DEBUG", ranks=2
    )
    assert finished.status == 0, finished.stderr
    assert sorted(path.name for path in logs.iterdir()) == ["rank-0000.log", "rank-0001.log"]
    for rank in range(2):
        lines = (logs / f"rank-{rank:04d}.log").read_text().splitlines()
        form = (
            rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}} rank {rank} "
            rf"{re.escape(socket.gethostname())} [A-Z]+ fastvid\S*: .+"
        )
        assert all(re.fullmatch(form, line) for line in lines), lines
        assert "begins, 2 ranks" in lines[0] and lines[-1].endswith("the job is over")
    segments = re.findall(
        r"segment (\d+) finished: 1 frames from frame \1$",
        "\n".join(path.read_text() for path in logs.iterdir()),
        re.MULTILINE,
    )
    assert sorted(map(int, segments)) == list(range(uncut_clip.frame_count))
