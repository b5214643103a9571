"""`--decode local`: every rank reads its own frames, and nothing in the result tells."""

import json
import os
import socket
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fastvid.decode.entry_points import EntryPoints
from fastvid.decode.film import open_source
from fastvid.decode.fingerprint import sample_fingerprint
from fastvid.errors import InputError
from fastvid.job.decoding import decoded_a_frame, marked_frames
from fastvid.runfile.reader import RunFile
from support import decode_clips, job_clips
from support.launching import Finished, RunningJob, run_program, stored_count
from support.places import PROGRAMS

COUNT = 37
HOST = socket.gethostname()
# What one input is run with: name, options of the command line.
RUNS: dict[str, tuple[str, list[str]]] = {
    "long": ("long.mp4", ["--cuts", "none"]),
    "long, cuts looked for": ("long.mp4", ["--cuts", "auto"]),
    "long, in shots": ("long.mp4", ["--cuts", "CUTS", "--segment-length", "3"]),
    "short": ("short.mkv", ["--cuts", "none", "--lookahead", "1"]),
    "part": ("short.mkv", ["--cuts", "auto", "--frames", "5:30", "--size", "48x-1"]),
    "images": ("images", ["--cuts", "none", "--fps", "25"]),
    "images, cuts looked for": ("images", ["--cuts", "auto", "--fps", "25", "--frames", "2:20"]),
    "unfit": ("unfit.ts", ["--cuts", "none"]),
}


def uneven(count: int) -> list[int]:
    """Milliseconds."""
    return job_clips.uneven_times(count)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots with B frames at uneven times: with one key frame, with many, and otherwise."""
    folder = tmp_path_factory.mktemp("inputs")
    images = [job_clips.scene(7 + 5 * (i >= 20), i) for i in range(COUNT)]
    times: dict[str, Any] = {"times": uneven(COUNT), "time_base": job_clips.TIME_BASE}
    for name, group in (("long.mp4", "250"), ("short.mkv", "6")):
        decode_clips.write_clip(
            folder / name,
            images,
            options={"qp": "18", "bf": "3", "g": group, "sc_threshold": "0"},
            **times,
        )
    decode_clips.write_clip(folder / "unfit.ts", images)
    (folder / "images").mkdir()
    for number, image in enumerate(images):
        assert cv2.imwrite(str(folder / "images" / f"{number:04}.png"), image)
    (folder / "cuts.csv").write_text("20\n")
    return folder


@pytest.fixture(scope="module")
def all_runs(
    inputs: Path, tiny_style: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, str], Path]:
    """All runs on so many ranks with one way to decode, made once; returns their folder."""
    made: dict[tuple[int, str], Path] = {}

    def runs(ranks: int, decode: str) -> Path:
        if (ranks, decode) in made:
            return made[ranks, decode]
        folder = tmp_path_factory.mktemp(f"{decode}{ranks}-")
        jobs = []
        for name, (source, options) in RUNS.items():
            words = [str(inputs / "cuts.csv") if word == "CUTS" else word for word in options]
            if not (decode == "local" and name == "unfit"):
                jobs.append(
                    [
                        "stylize",
                        str(inputs / source),
                        "-o",
                        str(folder / f"{name}.mp4"),
                        "--style",
                        str(tiny_style),
                        "--threads",
                        "1",
                        "--codec",
                        "ffv1",
                        "--decode",
                        decode,
                        *words,
                    ]
                )
        (folder / "jobs.json").write_text(json.dumps(jobs))
        finished = run_program([PROGRAMS / "several_jobs.py"], [folder / "jobs.json"], ranks=ranks)
        assert finished.status == 0, finished.stderr
        (folder / "stderr").write_text(finished.stderr)
        made[ranks, decode] = folder
        return folder

    return runs


def facts(path: Path) -> dict[str, object]:
    """What a run has stored and written."""
    with RunFile(path) as run:
        assert run.complete and run.stored.all()
        frames = b"".join(run.frame(index).tobytes() for index in range(run.frame_count))
        times = [column.tolist() for column in run.times()]
        return {
            "frames": frames,
            "times": times,
            "shots": run.shots(),
            "settings": run.settings,
            "output": path.with_suffix(".mp4").read_bytes(),
        }


@pytest.mark.mpi
@pytest.mark.parametrize("name", [name for name in RUNS if name != "unfit"])
@pytest.mark.parametrize("ranks", [2, 3])
def test_the_result_is_the_same(
    ranks: int, name: str, all_runs: Callable[[int, str], Path]
) -> None:
    """Run files and outputs, byte for byte."""
    wanted = facts(all_runs(2, "rank0") / f"{name}.h5")
    found = facts(all_runs(ranks, "local") / f"{name}.h5")
    for part in wanted:
        assert found[part] == wanted[part], part


@pytest.mark.mpi
def test_auto_takes_what_is_exact_and_cheap(all_runs: Callable[[int, str], Path]) -> None:
    folder = all_runs(3, "auto")
    said = (folder / "stderr").read_text()
    assert "rank 0 decodes for all ranks: mpegts files have no index" in said
    assert said.count("every rank decodes its own frames") == len(RUNS) - 1
    for name in RUNS:
        assert facts(folder / f"{name}.h5") == facts(all_runs(2, "rank0") / f"{name}.h5")


def run(
    inputs: Path,
    tiny_style: Path,
    output: Path,
    *arguments: str,
    source: str = "short.mkv",
    program: tuple[str, ...] = (),
    ranks: int = 3,
) -> Finished:
    command: list[str | Path] = ["-m", "fastvid"]
    if program:
        command = [PROGRAMS / program[0], *program[1:]]
    return run_program(
        command,
        [
            "stylize",
            inputs / source,
            "-o",
            output,
            "--style",
            tiny_style,
            "--threads",
            "1",
            "--codec",
            "ffv1",
            "--segment-length",
            "2",
            *arguments,
        ],
        ranks=ranks,
    )


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
    if what != "late":
        finished = run(inputs, tiny_style, tmp_path / "o.mp4", "--decode", "auto", program=program)
        assert finished.status == 0, finished.stderr
        assert f"rank 0 decodes for all ranks: rank 2 on {HOST}" in finished.stderr


@pytest.mark.mpi
def test_other_pixels_on_another_host_are_noticed_and_the_run_can_go_on(
    inputs: Path, tiny_style: Path, tmp_path: Path
) -> None:
    """Where rank 0 decodes too, for the cuts, it sends checksums."""
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
    for word in (f"rank 1 on {HOST}", "short.mkv", "comes out differently", "--decode rank0"):
        assert word in finished.stderr
    again = run(inputs, tiny_style, output, "--decode", "rank0", "--cuts", "auto", ranks=2)
    assert again.status == 0, again.stderr
    plain = tmp_path / "plain.mp4"
    assert run(inputs, tiny_style, plain, "--cuts", "auto", ranks=1).status == 0
    assert output.read_bytes() == plain.read_bytes()


@pytest.mark.mpi
def test_auto_goes_on_with_rank_0_where_a_frame_can_not_be_read_by_itself(
    inputs: Path, tiny_style: Path, tmp_path: Path
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
    results = {}
    for decode in ("rank0", "auto", "local"):
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
            ranks=2,
        )
        results[decode] = finished.status, finished.stderr, output
    status, said, output = results["auto"]
    assert status == 0, said
    assert "note: rank " in said and "can't be read by itself (it has 64x40 " in said
    assert "rank 0 decodes for all from here on" in said
    assert output.read_bytes() == results["rank0"][2].read_bytes()
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


@pytest.mark.mpi
def test_a_run_goes_on_with_the_other_way_to_decode(
    inputs: Path, tiny_style: Path, tmp_path: Path
) -> None:
    """Neither the identity of a run nor its result depends on who decodes."""
    pause = tmp_path / "pause"
    pause.write_text("0.05")
    output = tmp_path / "o.mp4"
    arguments = [
        "stylize",
        inputs / "long.mp4",
        "-o",
        output,
        "--style",
        tiny_style,
        "--threads",
        "1",
        "--codec",
        "ffv1",
        "--cuts",
        "none",
    ]
    with RunningJob(
        [PROGRAMS / "slow_paint.py"],
        [*arguments, "--decode", "rank0"],
        ranks=2,
        env={"FASTVID_TEST_PAUSE": str(pause)},
    ) as job:
        while stored_count(tmp_path / "o.h5") < 8 and not job.ended():
            time.sleep(0.05)
        job.kill()
    assert 0 < stored_count(tmp_path / "o.h5") < COUNT
    finished = run_program(["-m", "fastvid"], [*arguments, "--decode", "local"], ranks=3)
    assert finished.status == 0 and "continuing" in finished.stderr, finished.stderr
    plain = tmp_path / "plain.mp4"
    arguments[3] = plain
    assert run_program(["-m", "fastvid"], arguments, ranks=1).status == 0
    assert output.read_bytes() == plain.read_bytes()


def test_a_change_under_rank_0_is_called_by_its_name(tmp_path: Path) -> None:
    """And not taken for damage of the film."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 240, 320, 3), dtype=np.uint8)
    film = decode_clips.write_clip(
        tmp_path / "film.mkv", list(noise), codec="ffv1", pix_fmt="yuv444p"
    )
    with open_source(str(film)) as source:
        frames = marked_frames(source, "none", ranks_read=False)
        next(frames)
        os.truncate(film, film.stat().st_size // 2)
        with pytest.raises(InputError, match=r"^rank 0: .*film.mkv: was changed while"):
            list(frames)


def test_promised_frames_are_those_that_come(inputs: Path) -> None:
    for source, part in (("long.mp4", None), ("short.mkv", (5, 30)), ("images", (2, None))):
        with open_source(
            str(inputs / source), frames=part, fps=Fraction(25) if source == "images" else None
        ) as film:
            promised = [
                (frame.index, frame.pts, frame.duration) for frame in film.promised_frames()
            ]
            assert promised == [(frame.index, frame.pts, frame.duration) for frame in film]


def test_what_a_rank_decodes_for_a_frame_that_it_uses() -> None:
    def entries(step: int) -> EntryPoints:
        frames = np.arange(0, 2000, step)
        return EntryPoints(frames, frames, frames)

    assert decoded_a_frame(entries(2000), 2000, 4, 1) == pytest.approx(1.0, abs=0.01)
    # One of three segments: the ones between are decoded too.
    assert decoded_a_frame(entries(2000), 1999, 4, 3) == pytest.approx(3.0, abs=0.05)
    # All frames but the first of a segment's halo are key frames.
    assert decoded_a_frame(entries(1), 2000, 4, 50) == pytest.approx(1.25, abs=0.03)
    # From a key frame, on average 125 frames before.
    assert 15 < decoded_a_frame(entries(250), 2000, 4, 100) < 45


def test_a_sample_tells_files_and_folders_apart(tmp_path: Path) -> None:
    def sample(name: str) -> str:
        return sample_fingerprint(str(tmp_path / name))

    content = bytearray(np.random.default_rng(0).bytes(5 << 20))
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_bytes(content)
    assert sample("a") == sample("b")
    for place in (0, len(content) - 1):
        other = bytearray(content)
        other[place] ^= 1
        (tmp_path / "b").write_bytes(other)
        assert sample("a") != sample("b")
    (tmp_path / "b").write_bytes(content + b"x")
    assert sample("a") != sample("b")
    for name in ("c", "d"):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_bytes(b"12345")
    assert sample("c") == sample("d")
    (tmp_path / "d" / "1.png").write_bytes(b"123456")
    assert sample("c") != sample("d")
    with pytest.raises(OSError):
        sample("e")


def test_an_unknown_way_to_decode_is_refused(run_main: Callable[..., tuple[int, str]]) -> None:
    status, said = run_main("stylize", "a.mp4", "-o", "b.mp4", "--decode", "rank1")
    assert status == InputError.exit_status and "'rank1'" in said and "local" in said
