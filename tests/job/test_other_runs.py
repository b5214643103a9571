"""Nothing of another run comes into a film, whatever that run has left and when it was cut off."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastvid.encode.encoded_parts import part_folder
from fastvid.runfile.recover import recover
from fastvid.style.loading import load_style
from support import cut_off_runs, job_clips, oracle
from support.cut_off_runs import PART_FRAMES, SLOW_ENCODE, SLOW_PAINT, closed_parts
from support.job_clips import Clip
from support.launching import stored_count
from support.run_files import stored_frames

pytestmark = pytest.mark.mpi

RunMain = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def other_style(material: Path) -> Path:
    path = material / "other.pt"
    path.write_bytes(job_clips.style_bytes(seed=9))
    return path


@pytest.fixture
def command(uncut_clip: Clip, tmp_path: Path) -> list[object]:
    """All but the style."""
    return [
        *(uncut_clip.path, "-o", tmp_path / "out.mkv", "--cuts", "none", "--codec", "ffv1"),
        *("--segment-length", "3", "--lookahead", "2"),
    ]


@pytest.fixture(scope="module")
def expected(uncut_clip: Clip, other_style: Path) -> np.ndarray:
    """In the other style."""
    return oracle.repaint(
        job_clips.decoded_frames(uncut_clip.path), (), load_style(str(other_style))
    )


def leave_parts(command: list[object], style: Path, output: Path) -> None:
    """A run in a style, killed when two of its parts are closed."""
    cut_off_runs.killed_at(
        [*command, "--style", style], lambda: len(closed_parts(output)) >= 2, SLOW_PAINT
    )


def check_film(output: Path, expected: np.ndarray) -> None:
    assert np.array_equal(job_clips.decoded_frames(output), expected)
    assert not part_folder(output).exists()


@pytest.mark.parametrize(("stored", "discard"), [(0, True), (12, True), (12, False)])
def test_another_style_in_between(
    command: list[object],
    tiny_style: Path,
    other_style: Path,
    expected: np.ndarray,
    tmp_path: Path,
    stored: int,
    discard: bool,
) -> None:
    """--restart with another style is killed before it closes a part of its own, then continued."""
    output, run_path = tmp_path / "out.mkv", tmp_path / "out.h5"
    command += ["--discard-frames"] if discard else []
    leave_parts(command, tiny_style, output)
    second = [*command, "--style", other_style]
    before = run_path.stat().st_ino
    cut_off_runs.killed_at(
        [*second, "--restart"],
        lambda: run_path.stat().st_ino != before and stored_count(run_path) >= stored,
        SLOW_PAINT,
        SLOW_ENCODE,
        ranks=2,
    )
    ended = cut_off_runs.finished(second, ranks=2)
    assert ended.status == 0, ended.stderr
    check_film(output, expected)


def test_a_run_file_that_was_deleted_takes_its_parts_along(
    command: list[object], other_style: Path, tmp_path: Path
) -> None:
    """Begun again with another strength, killed before its first part is closed, continued."""
    output, run_path = tmp_path / "out.mkv", tmp_path / "out.h5"
    leave_parts(command, other_style, output)
    run_path.unlink()
    plain = [*command, "--style", other_style, "--temporal-strength", "0"]
    cut_off_runs.killed_at(plain, lambda: stored_count(run_path) >= 12, SLOW_PAINT, SLOW_ENCODE)
    assert cut_off_runs.finished(plain).status == 0
    check_film(output, stored_frames(run_path))


@pytest.mark.parametrize("discard", [False, True])
def test_a_run_that_an_earlier_version_began_is_continued(
    command: list[object], other_style: Path, expected: np.ndarray, tmp_path: Path, discard: bool
) -> None:
    """Neither the run nor its parts have an identity. Frames that are nowhere else are kept."""
    output, run_path = tmp_path / "out.mkv", tmp_path / "out.h5"
    command = [*command, "--style", other_style, *(["--discard-frames"] if discard else [])]
    cut_off_runs.killed_at(command, lambda: len(closed_parts(output)) >= 2, SLOW_PAINT)
    recover(run_path)  # h5py by itself knows nothing of the journal, and must not write before
    with h5py.File(run_path, "r+") as file:
        del file.attrs["run_id"]
        encoded = int(file["frames/encoded"][:].sum())
    label = part_folder(output) / "settings"
    label.write_text(label.read_text().splitlines()[0] + "\n")
    assert encoded == 0 or discard
    ended = cut_off_runs.finished(command)
    assert ended.status == 0, ended.stderr
    check_film(output, expected)


# -- two runs with one output --------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "way", ["another run file", "several styles", "encode", "a folder", "another style"]
)
def test_the_second_run_with_an_output_is_refused(
    way: str,
    command: list[object],
    tiny_style: Path,
    other_style: Path,
    expected: np.ndarray,
    tmp_path: Path,
    run_main: RunMain,
) -> None:
    """At once, with one message, and the first one is not disturbed."""
    output, run_path = tmp_path / "out.mkv", tmp_path / "out.h5"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    second = [*command, "--style", other_style, "--run-file", elsewhere / "second.h5"]
    if way == "several styles":
        output = tmp_path / "out.other.mkv"
        command = [output if word == tmp_path / "out.mkv" else word for word in command]
        second += ["--style", tiny_style]
    elif way == "encode":
        complete = [*command, "--style", tiny_style]
        complete = [elsewhere / "done.mkv" if word == output else word for word in complete]
        assert run_main(*complete, "--threads", "1")[0] == 0
        second = ["encode", elsewhere / "done.h5", "-o", output, "--codec", "ffv1"]
    elif way == "a folder":
        output = tmp_path / "images"
        command, second = (
            [output if word == tmp_path / "out.mkv" else word for word in words if word != "ffv1"]
            for words in (command, second)
        )
        command[command.index("--codec")] = second[second.index("--codec")] = "--codec=png"
        run_path = tmp_path / "images.h5"
    elif way == "another style":
        second[second.index(other_style)] = tiny_style
    if way == "several styles":
        run_path = tmp_path / "out.other.h5"
    first = [*command, "--style", other_style]
    with cut_off_runs.started(first, SLOW_PAINT) as job:
        cut_off_runs.wait_for(job, lambda: stored_count(run_path) > PART_FRAMES)
        before = names(elsewhere)
        status, message = run_main(*second, "--threads", "1")
        assert not job.ended()
        assert status == 2 and message.count("still going") == 1 and "-o" in message, message
        assert output.name in message and "process" in message
        assert names(elsewhere) == before
        ended = job.wait()
    assert ended.status == 0, ended.stderr
    if way == "a folder":
        images = [job_clips.decoded_frames(path)[0] for path in sorted(output.glob("*.png"))]
        assert np.array_equal(images, expected)
    else:
        check_film(output, expected)
    assert not list(tmp_path.glob(".*"))


def test_parts_that_another_run_needs_are_not_cleared(
    command: list[object],
    tiny_style: Path,
    other_style: Path,
    expected: np.ndarray,
    tmp_path: Path,
    run_main: RunMain,
) -> None:
    """The first run was killed; with --discard-frames its parts hold what is nowhere else."""
    output = tmp_path / "out.mkv"
    first = [*command, "--style", other_style, "--discard-frames", "--run-file"]
    first.append(tmp_path / "first.h5")

    cut_off_runs.killed_at(
        first, lambda: cut_off_runs.freed_count(tmp_path / "first.h5") > 0, SLOW_PAINT
    )
    parts = closed_parts(output)
    status, message = run_main(*command, "--style", tiny_style, "--threads", "1")
    assert status == 2 and "first.h5" in message and "nowhere else" in message, message
    assert closed_parts(output) == parts and not (tmp_path / "out.h5").exists()
    ended = cut_off_runs.finished(first)
    assert ended.status == 0, ended.stderr
    check_film(output, expected)
