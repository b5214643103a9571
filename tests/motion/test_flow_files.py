"""Runs that read flow and masks from files instead of computing them: `--flow-dir`."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastvid.motion.flo import write_flo
from fastvid.motion.pgm import write_pgm
from support import job_clips
from support.job_clips import Clip
from support.launching import run_fastvid

STATUS_BAD_INPUT = 2
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module", params=["frame", "recurrent"])
def style(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("style") / f"{request.param}.pt"
    make = {"frame": job_clips.style_bytes, "recurrent": job_clips.recurrent_bytes}[request.param]
    path.write_bytes(make())
    return path


def begin(clip: Clip, style: Path, folder: Path) -> Path:
    """The folder of a run that computed its flow: out.mkv, and flow/ with what it kept."""
    from fastvid.__main__ import main

    assert main(arguments(clip, style, folder, "--keep", "flow,occlusion")) == 0
    assert main(["export-flow", str(folder / "out.h5"), "-o", str(folder / "flow")]) == 0
    return folder


@pytest.fixture(scope="module")
def begun_in_style(uncut_clip: Clip, style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begin(uncut_clip, style, tmp_path_factory.mktemp("begun"))


@pytest.fixture(scope="module")
def begun(uncut_clip: Clip, tiny_style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begin(uncut_clip, tiny_style, tmp_path_factory.mktemp("begun"))


def arguments(clip: Clip, style: Path, folder: Path, *more: object) -> list[str]:
    given = (
        clip.path,
        "-o",
        folder / "out.mkv",
        "--style",
        style,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        "--threads",
        "1",
        "--segment-length",
        "3",
        *more,
    )
    return [str(one) for one in given]


def same_frames(one: Path, other: Path) -> bool:
    return all(
        np.array_equal(a, b)
        for a, b in zip(job_clips.decoded_frames(one), job_clips.decoded_frames(other), strict=True)
    )


@pytest.mark.mpi
def test_exported_flow_gives_the_same_bytes(
    uncut_clip: Clip, style: Path, begun_in_style: Path, tmp_path: Path
) -> None:
    command = arguments(uncut_clip, style, tmp_path, "--flow-dir", begun_in_style / "flow")
    finished = run_fastvid(*command, ranks=3)
    assert finished.status == 0, finished.stderr
    assert same_frames(tmp_path / "out.mkv", begun_in_style / "out.mkv")


def test_the_flow_of_the_files_is_used(
    uncut_clip: Clip, style: Path, begun_in_style: Path, tmp_path: Path, run_main: Run
) -> None:
    """With masks of nothing the past does not count: every frame comes out otherwise."""
    folder = Path(shutil.copytree(begun_in_style / "flow", tmp_path / "flow"))
    size = job_clips.decoded_frames(uncut_clip.path)[0].shape[:2]
    for path in folder.glob("*.pgm"):
        write_pgm(path, np.zeros(size, np.uint8))
    command = arguments(uncut_clip, style, tmp_path, "--flow-dir", folder)
    assert run_main(*command)[0] == 0
    assert not same_frames(tmp_path / "out.mkv", begun_in_style / "out.mkv")


def test_a_part_of_the_film_reads_the_files_of_the_part(
    uncut_clip: Clip, tiny_style: Path, begun: Path, tmp_path: Path, run_main: Run
) -> None:
    part = ("--frames", "7:15")
    with_files, computed = tmp_path / "files", tmp_path / "computed"
    for folder, more in ((with_files, ("--flow-dir", begun / "flow")), (computed, ())):
        folder.mkdir()
        assert run_main(*arguments(uncut_clip, tiny_style, folder, *part, *more))[0] == 0
    assert same_frames(with_files / "out.mkv", computed / "out.mkv")


def test_other_files_are_another_run(
    uncut_clip: Clip, tiny_style: Path, begun: Path, tmp_path: Path, run_main: Run
) -> None:
    folder = Path(shutil.copytree(begun / "flow", tmp_path / "flow"))
    command = arguments(uncut_clip, tiny_style, tmp_path, "--flow-dir", folder)
    assert run_main(*command)[0] == 0
    moved = folder.rename(tmp_path / "moved")
    command[-1] = str(moved)
    assert run_main(*command)[0] == 0
    data = (moved / "backward_5_4.flo").read_bytes()
    (moved / "backward_5_4.flo").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    status, message = run_main(*command)
    assert status == STATUS_BAD_INPUT and "--flow-dir is another" in message
    status, message = run_main(*command[:-2])
    assert status == STATUS_BAD_INPUT and "--flow-dir is another" in message


def cut_off(folder: Path) -> None:
    path = folder / "backward_9_8.flo"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    "spoil, words",
    [
        (
            lambda folder: (folder / "reliable_9_8.pgm").unlink(),
            ["reliable_9_8.pgm", "frames 8 and 9", "--cuts"],
        ),
        (cut_off, ["backward_9_8.flo", "incomplete"]),
        (
            lambda folder: write_flo(folder / "backward_9_8.flo", np.zeros((9, 8, 2), np.float32)),
            ["backward_9_8.flo is 8x9", "--size"],
        ),
        (lambda folder: [path.unlink() for path in folder.glob("*.flo")], ["no flow files"]),
        (shutil.rmtree, ["flow", "No such file"]),
    ],
)
def test_bad_files_are_named(
    uncut_clip: Clip,
    tiny_style: Path,
    begun: Path,
    tmp_path: Path,
    run_main: Run,
    spoil: Callable[[Path], object],
    words: list[str],
) -> None:
    folder = Path(shutil.copytree(begun / "flow", tmp_path / "flow"))
    spoil(folder)
    status, message = run_main(*arguments(uncut_clip, tiny_style, tmp_path, "--flow-dir", folder))
    assert status == STATUS_BAD_INPUT, message
    assert "Traceback" not in message and message.count("fastvid: error: ") == 1
    for word in words:
        assert word in message
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    "option", [("--flow", "farneback"), ("--flow-scale", "0.5"), ("--mask-boundaries",)]
)
def test_how_to_compute_flow_does_not_go_with_files(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path, run_main: Run, option: tuple[str, ...]
) -> None:
    status, message = run_main(
        *arguments(uncut_clip, tiny_style, tmp_path, "--flow-dir", tmp_path, *option)
    )
    assert status == STATUS_BAD_INPUT and "leave out --flow" in message
