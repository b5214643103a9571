"""Bad input: one clear message, exit status 2, nothing left behind. The table of all kinds is in
bad_inputs.py."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import h5py
import numpy as np
import pytest

from support import job_clips
from support.bad_inputs import CASES
from support.job_clips import Clip
from support.launching import run_fastvid
from support.spoiling import Place

STATUS_BAD_INPUT = 2
LONGEST_MESSAGE_LINES = 6


@pytest.fixture
def place(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> Place:
    return Place(tmp_path, uncut_clip.path, tiny_style)


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, place: Place, run_main: Callable[..., tuple[int, str]]) -> None:
    spoil, words = CASES[case]
    spoil(place)
    before = place.contents()
    status, message = run_main(*place.command())
    assert status == STATUS_BAD_INPUT, message
    assert "Traceback" not in message and message.startswith("fastvid: error: ")
    assert len(message.strip().splitlines()) <= LONGEST_MESSAGE_LINES, message
    for word in words:
        assert word in message
    assert place.contents() == before


def test_the_material_is_sound(place: Place, run_main: Callable[..., tuple[int, str]]) -> None:
    """So it is the one thing that each case spoils that is refused."""
    status, message = run_main(*place.command(), "--frames", "0:5")
    assert status == 0, message
    assert len(job_clips.decoded_frames(place.output)) == 5


def test_no_arguments(run_main: Callable[..., tuple[int, str]]) -> None:
    assert run_main()[0] == STATUS_BAD_INPUT


@pytest.mark.parametrize("command", ["stylize", "encode", "evaluate", "status"])
def test_commands_without_their_arguments(
    command: str, run_main: Callable[..., tuple[int, str]]
) -> None:
    status, message = run_main(command)
    assert status == STATUS_BAD_INPUT
    assert message.startswith("fastvid: error: ") and "--help" in message


@pytest.mark.parametrize("command", ["encode", "evaluate", "status"])
@pytest.mark.parametrize("name", ["missing.h5", "text.h5", "foreign.h5", "folder.h5"])
def test_run_files_of_other_commands(
    command: str, name: str, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "text.h5").write_text("frames")
    (tmp_path / "folder.h5").mkdir()
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["measurements"] = np.arange(10)
    more: dict[str, list[object]] = {
        "encode": ["-o", tmp_path / "new.mkv"],
        "evaluate": [tmp_path / "in.mp4"],
        "status": [],
    }
    status, message = run_main(command, tmp_path / name, *more[command])
    assert status == STATUS_BAD_INPUT, message
    assert name in message and "Traceback" not in message
    assert not (tmp_path / "new.mkv").exists()


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write in, not even root."""
    folder = tmp_path / "readonly"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode == 0:
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
    elif os.geteuid() == 0:
        pytest.skip("root may write everywhere here")
    else:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)


@pytest.mark.parametrize("what", ["output", "run file"])
def test_a_folder_that_can_not_be_written(
    what: str, place: Place, read_only_folder: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    if what == "output":
        place.output = read_only_folder / "out.mkv"
    else:
        place.options += ["--run-file", read_only_folder / "run.h5"]
    status, message = run_main(*place.command())
    assert status == STATUS_BAD_INPUT, message
    assert str(read_only_folder) in message and "Traceback" not in message
    assert not any((place.folder / "results").iterdir())


@pytest.mark.mpi
@pytest.mark.parametrize("case", ["unknown style", "unknown option"])
def test_one_rank_speaks_for_all(case: str, place: Place) -> None:
    spoil, words = CASES[case]
    spoil(place)
    before = place.contents()
    finished = run_fastvid(*place.command(), ranks=3)
    assert finished.status == STATUS_BAD_INPUT, finished.stderr
    assert finished.stderr.count("fastvid: error: ") == 1 and "Traceback" not in finished.stderr
    for word in words:
        assert word in finished.stderr
    assert place.contents() == before


@pytest.mark.mpi
def test_one_rank_speaks_while_all_work(place: Place) -> None:
    """A frame that can't be decoded is found when the ranks are at work already: they leave with
    the same status, and none of them crashes over the frames that are on their way."""
    place.input = job_clips.write_clip(
        place.folder / "in.mp4",
        job_clips.uncut_scenes(),
        job_clips.uneven_times(job_clips.UNCUT_FRAMES),
        codec="libx264",
    )
    with av.open(str(place.input)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    start, size = packets[len(packets) * 3 // 4]
    data = bytearray(place.input.read_bytes())
    assert start is not None
    data[start : start + size] = b"\xff" * size
    place.input.write_bytes(data)
    finished = run_fastvid(*place.command(), "--segment-length", "1", ranks=3)
    assert finished.status == STATUS_BAD_INPUT, finished.stdout + finished.stderr
    assert finished.stderr.count("fastvid: error: ") == 1 and "Traceback" not in finished.stderr
    assert "in.mp4" in finished.stderr and "--on-error keep-going" in finished.stderr
    assert not place.output.exists()
