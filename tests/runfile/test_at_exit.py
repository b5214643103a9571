"""A program that ends while a thread that doesn't come back has a run file open."""

import subprocess
import sys
from pathlib import Path

import h5py
import pytest

PROGRAM = """
import sys, threading, time
from pathlib import Path
from fastvid.runfile import at_exit
from fastvid.runfile.journal import begin_journal
from fastvid.runfile.journaled import JournaledFile, open_hdf5

at_exit._PATIENCE_S = 0.2
path, where = Path(sys.argv[1]), sys.argv[2]
with open_hdf5(path, "w") as file:
    file["promised"] = 0
    place = file.id.get_filesize()
    place += -place % 65536
descriptor = path.open("r+b")
begin_journal(descriptor.fileno(), place)
journaled = JournaledFile(path, place)
file = open_hdf5(journaled, "r+")
file["promised"][...] = 1
file.flush()
journaled.commit()
file["not_promised"] = 2
ready = threading.Event()

def hold(file):
    with at_exit.phil if where == "within HDF5" else threading.Lock():
        ready.set()
        time.sleep(1000)

threading.Thread(target=hold, args=(file,), daemon=True).start()
del file, journaled
ready.wait()
"""


@pytest.mark.parametrize("where", ["outside", "within HDF5"])
def test_a_file_that_a_thread_still_has(where: str, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, path, where], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0 if where == "outside" else 1, "")
    with h5py.File(path, "r") as file:
        assert list(file) == ["promised"]
