"""`--decode local` where a rank sees another film, or can't read a frame by itself."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support import decode_clips, job_clips
from support.launching import RunningJob, stored_count
from support.own_decoding import HOST, run, words
from support.places import PROGRAMS


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("source", "options", "why"),
    [
        ("unfit.ts", [], "mpegts files have no index of their packets"),
        ("short.mkv", ["--on-error", "keep-going"], "keep-going repeats the frame before"),
    ],
)
def test_what_can_not_be_exact_is_refused_before_anything_is_done(
    source: str, options: list[str], why: str, inputs: Path, tiny_style: Path, tmp_path: Path
) -> None:
    finished = run(
        inputs,
        tiny_style,
        tmp_path / "o.mp4",
        "--decode",
        "local",
        *options,
        source=source,
        ranks=2,
    )
    assert finished.status == 2
    assert finished.stderr.count("fastvid: error:") == 1
    for word in ("--decode local", source, why, "--decode rank0"):
        assert word in finished.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("other", "is another file than on rank 0"),
        ("none", "No such file or directory"),
        ("late", "has not said within 4 s whether it sees"),
    ],
)
def test_a_rank_that_sees_another_input_is_named(
    what: str, why: str, inputs: Path, tiny_style: Path, tmp_path: Path
) -> None:
    program = ("own_eyes.py", "2", what)
    patience = ["--rank-timeout", "4"] if what == "late" else []
    finished = run(
        inputs, tiny_style, tmp_path / "o.mp4", "--decode", "local", *patience, program=program
    )
    assert finished.status == 2, finished.stderr
    assert finished.stderr.count("fastvid: error:") == 1
    for word in (f"rank 2 on {HOST}", str(inputs / "short.mkv"), why):
        assert word in finished.stderr
    assert not list(tmp_path.iterdir())
    if what == "other":
        finished = run(inputs, tiny_style, tmp_path / "o.mp4", "--decode", "auto", program=program)
        assert finished.status == 0, finished.stderr
        assert f"rank 0 decodes for all ranks: rank 2 on {HOST}" in finished.stderr


@pytest.mark.mpi
def test_other_pixels_on_another_host_are_noticed_and_the_run_can_go_on(
    inputs: Path, tiny_style: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    """Whoever looks for cuts takes checksums, and others read most of the frames."""
    output = tmp_path / "o.mp4"
    finished = run(
        inputs,
        tiny_style,
        output,
        "--decode",
        "local",
        "--cuts",
        "auto",
        program=("own_eyes.py", "1", "drift"),
    )
    assert finished.status == 2
    assert finished.stderr.count("fastvid: error:") == 1
    for word in (f" on {HOST}", "short.mkv", "comes out differently", "--decode rank0"):
        assert word in finished.stderr
    film, plain = inputs / "short.mkv", tmp_path / "plain.mp4"
    for path in (output, plain):
        status, said = run_main(*words(film, tiny_style, path, "--cuts", "auto"))
        assert status == 0, said
    assert output.read_bytes() == plain.read_bytes()


@pytest.mark.mpi
def test_auto_goes_on_with_rank_0_where_a_frame_can_not_be_read_by_itself(
    inputs: Path, tiny_style: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    """Some frames have another size, but none of those that are tried before the start."""
    parts = [
        decode_clips.write_clip(
            tmp_path / f"{number}.mkv",
            [job_clips.scene(7, i)[:height] for i in range(count)],
            codec="mjpeg",
            pix_fmt="yuvj420p",
            full_range=True,
        )
        for number, (count, height) in enumerate(((14, 48), (3, 40), (25, 48)))
    ]
    film = decode_clips.join_clips(tmp_path / "odd.mov", parts)
    plain, results = tmp_path / "rank0.mp4", {}
    assert run_main(*words(film, tiny_style, plain, "--cuts", "none"))[0] == 0
    for decode in ("auto", "local"):
        output = tmp_path / f"{decode}.mp4"
        finished = run(
            inputs,
            tiny_style,
            output,
            "--decode",
            decode,
            "--cuts",
            "none",
            source=str(film),
            program=("own_eyes.py", "0", "nothing"),
            ranks=2,
        )
        results[decode] = finished.status, finished.stderr, output
    status, said, output = results["auto"]
    assert status == 0, said
    assert "note: rank " in said and "can't be read by itself (it has 64x40 " in said
    assert "rank 0 decodes for all from here on" in said
    assert output.read_bytes() == plain.read_bytes()
    status, said, output = results["local"]
    assert status == 2 and said.count("fastvid: error:") == 1 and not output.exists()
    assert f" on {HOST}: reading frames 1" in said and "--decode rank0" in said


@pytest.mark.mpi
@pytest.mark.parametrize("change", ["truncated", "gone"])
def test_an_input_that_changes_under_the_job_is_named_with_the_rank(
    change: str, inputs: Path, tiny_style: Path, tmp_path: Path
) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes((inputs / "short.mkv").read_bytes())
    pause = tmp_path / "pause"
    pause.write_text("0.1")
    with RunningJob(
        [PROGRAMS / "slow_paint.py"],
        [
            "stylize",
            film,
            "-o",
            tmp_path / "o.mp4",
            "--style",
            tiny_style,
            "--threads",
            "1",
            "--codec",
            "ffv1",
            "--segment-length",
            "2",
            "--decode",
            "local",
            "--cuts",
            "none",
        ],
        ranks=2,
        env={"FASTVID_TEST_PAUSE": str(pause)},
    ) as job:
        while stored_count(tmp_path / "o.h5") < 4 and not job.ended():
            time.sleep(0.05)
        if change == "gone":
            film.unlink()
        else:
            os.truncate(film, 2000)
        finished = job.wait()
    assert finished.status == 2, finished.stderr
    assert finished.stderr.count("fastvid: error:") == 1
    for word in (
        f" on {HOST}: reading frames",
        str(film),
        "can't be read any more" if change == "gone" else "was changed while",
    ):
        assert word in finished.stderr
