"""One run at a time owns a run file; the lock ends with the process, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastvid.errors import InputError
from fastvid.runfile.lock import RunLock, lock_owner
from support.places import REPOSITORY

_HOLDER = """
import sys, time
from pathlib import Path
from fastvid.runfile.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_the_lock_file_goes_with_the_lock(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run.h5"):
        assert [path.name for path in tmp_path.iterdir()] == [".run.h5.lock"]
        assert lock_owner(tmp_path / "run.h5") is not None
    assert list(tmp_path.iterdir()) == []
    assert lock_owner(tmp_path / "run.h5") is None


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run.h5"):
        with pytest.raises(InputError, match=f"process {os.getpid()} on ") as refused:
            RunLock(tmp_path / "run.h5")
        assert "--run-file" in str(refused.value)
        with RunLock(tmp_path / "other.h5"):
            pass
    with RunLock(tmp_path / "run.h5"):
        pass


def test_a_killed_owner_holds_nothing(tmp_path: Path) -> None:
    run_path = tmp_path / "run.h5"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(run_path)],
        text=True,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {holder.pid} on "):
            RunLock(run_path)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert lock_owner(run_path) is None
    with RunLock(run_path):
        pass
    assert list(tmp_path.iterdir()) == []
