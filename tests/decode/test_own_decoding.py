"""`--decode local`: every rank reads its own frames, and nothing in the result tells."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fastvid.__main__ import main
from fastvid.errors import InputError
from fastvid.runfile.reader import RunFile
from support.launching import RunningJob, run_program, stored_count
from support.own_decoding import COUNT
from support.places import PROGRAMS

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


@pytest.fixture(scope="module")
def all_runs(
    inputs: Path, tiny_style: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, str], Path]:
    """All runs on so many ranks with one way to decode, made once; returns their folder. One rank
    is this process."""
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
        if ranks == 1:
            assert [main(job) for job in jobs] == [0] * len(jobs)
            made[ranks, decode] = folder
            return folder
        (folder / "jobs.json").write_text(json.dumps(jobs))
        finished = run_program(
            [PROGRAMS / "several_jobs.py"],
            [folder / "jobs.json"],
            ranks=ranks,
            env={"FASTVID_TEST_AUTO": "1"},
        )
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
def test_the_result_is_the_same(name: str, all_runs: Callable[[int, str], Path]) -> None:
    """Run files and outputs, byte for byte."""
    wanted = facts(all_runs(1, "rank0") / f"{name}.h5")
    found = facts(all_runs(2, "local") / f"{name}.h5")
    for part in wanted:
        assert found[part] == wanted[part], part


@pytest.mark.mpi
def test_auto_takes_what_is_exact_and_cheap(all_runs: Callable[[int, str], Path]) -> None:
    folder = all_runs(3, "auto")
    said = (folder / "stderr").read_text()
    assert "rank 0 decodes for all ranks: mpegts files have no index" in said
    assert said.count("every rank decodes its own frames") == len(RUNS) - 1
    for name in RUNS:
        assert facts(folder / f"{name}.h5") == facts(all_runs(1, "rank0") / f"{name}.h5")


@pytest.mark.mpi
def test_a_run_goes_on_with_the_other_way_to_decode(
    inputs: Path, tiny_style: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
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
    assert run_main(*arguments)[0] == 0
    assert output.read_bytes() == plain.read_bytes()


def test_an_unknown_way_to_decode_is_refused(run_main: Callable[..., tuple[int, str]]) -> None:
    status, said = run_main("stylize", "a.mp4", "-o", "b.mp4", "--decode", "rank1")
    assert status == InputError.exit_status and "'rank1'" in said and "local" in said
