"""The Python interface: typed from the table of options, and light until it is used."""

import json
import signal
import subprocess
import sys
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest

import fastvid
from fastvid.parallel.mpi.lifetime import connect
from support.job_clips import Clip
from support.launching import run_program
from support.places import PROGRAMS, REPOSITORY


def calls(clip: Clip, style: Path, folder: Path) -> list[dict[str, object]]:
    common = {
        "input": str(clip.path),
        "style": str(style),
        "cuts": "none",
        "threads": 1,
        "progress": "none",
    }
    return [
        {**common, "output": str(folder / "one.mkv"), "frames": [0, 6]},
        {**common, "output": str(folder / "two.mkv"), "strength": 1.5},
        {**common, "output": f"{folder}/pictures/", "frames": [0, 3]},
    ]


def test_one_process(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    result = fastvid.stylize(
        uncut_clip.path,
        str(tmp_path / "out.mkv"),
        style=str(tiny_style),
        frames=(0, 5),
        cuts="none",
        threads=1,
        progress="none",
    )
    assert isinstance(result, fastvid.JobResult)
    assert result.frames == 5 and result.outputs == (tmp_path / "out.mkv",)
    assert signal.getsignal(signal.SIGTERM) is before
    comm = connect()
    with pytest.raises(fastvid.InputError, match="--strength 7"):
        fastvid.stylize(uncut_clip.path, tmp_path / "x.mkv", strength=7.0)
    assert connect() is comm


def test_a_run_that_was_stopped_stops_no_other(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    def repaint(time_limit: float | None) -> fastvid.JobResult | None:
        return fastvid.stylize(
            uncut_clip.path,
            tmp_path / "out.mkv",
            style=str(tiny_style),
            threads=1,
            time_limit=time_limit,
            grace=0.01,
            progress="none",
        )

    with pytest.raises(fastvid.Stopped, match="time limit"):
        repaint(0.02)
    result = repaint(None)
    assert result is not None and result.frames == uncut_clip.frame_count


def test_the_signature_is_that_of_the_options() -> None:
    parameters = signature(fastvid.stylize).parameters
    assert list(parameters)[:2] == ["input", "output"]
    assert set(parameters) == {one.name for one in fields(fastvid.StylizeOptions)}
    assert parameters["strength"].default == 1.0
    with pytest.raises(TypeError):
        fastvid.stylize("in.mp4", "out.mp4", "wave")  # type: ignore[call-arg, arg-type]


def test_unknown_keywords_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        fastvid.stylize("in.mp4", tmp_path / "x.mkv", colour="blue")  # type: ignore[call-arg]


@pytest.mark.mpi
def test_every_rank_makes_the_same_calls(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    """The first goes well, the second is refused on every rank, and the third goes well again."""
    words = json.dumps(calls(uncut_clip, tiny_style, tmp_path))
    finished = run_program([PROGRAMS / "python_interface.py"], [words], ranks=3)
    assert finished.status == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert [line for line in lines if line.startswith("rank 0: ")] == [
        "rank 0: 6 frames in one.mkv",
        "rank 0: InputError 2: --strength 1.5 is outside 0..1.",
        "rank 0: 3 frames in pictures",
    ]
    for rank in (1, 2):
        assert [line for line in lines if line.startswith(f"rank {rank}: ")] == [
            f"rank {rank}: None",
            f"rank {rank}: RemoteError 2: rank 0: --strength 1.5 is outside 0..1.",
            f"rank {rank}: None",
        ]


def test_importing_loads_nothing_heavy() -> None:
    script = (
        "import sys, fastvid\n"
        "assert fastvid.InputError.exit_status == 2\n"
        "assert {'stylize', 'JobResult', 'keep_freed_memory'} <= set(dir(fastvid))\n"
        "heavy = {'torch', 'cv2', 'numpy', 'mpi4py', 'av', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "fastvid.keep_freed_memory\n"
        "assert 'numpy' not in sys.modules\n"
        "fastvid.StylizeOptions\n"
        "assert not {'torch', 'mpi4py'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("name", fastvid.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(fastvid, name) is not None


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'repaint'"):
        fastvid.repaint  # noqa: B018


CALLS = """
import fastvid
from fastvid import JobResult, Overlap

result: JobResult | None = fastvid.stylize("a.mp4", "b.mp4", style="wave", strength=0.5)
fastvid.stylize("a.mp4", "b.mp4", overlap=Overlap(segment=90), progress="none")
fastvid.stylize("a.mp4", "b.mp4", strength="much")
fastvid.stylize("a.mp4", "b.mp4", colour="blue")
fastvid.stylize("a.mp4")
"""


def test_a_type_checker_knows_the_keywords(tmp_path: Path) -> None:
    """So it finds the three wrong calls in the last lines, and nothing else."""
    pytest.importorskip("mypy")
    program = tmp_path / "calls.py"
    program.write_text(CALLS)
    finished = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", REPOSITORY / "setup.cfg", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    wrong = [line.split(":")[1] for line in finished.stdout.splitlines() if ": error:" in line]
    assert wrong == ["7", "8", "9"], finished.stdout
