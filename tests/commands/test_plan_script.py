"""The script of a plan: it asks for what was planned and runs exactly that."""

import re
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fastvid.commands import stylize
from fastvid.commands.cli import command_parser
from fastvid.commands.plan.plan import make_plan
from fastvid.commands.plan.script import submission_script, write_script
from fastvid.commands.stylize import stylize_options
from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.system.options import option_words
from support.job_clips import Clip
from support.places import JOBS


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--style=wave", "--style=udnie", "--keep-colors", "--strength=0.5"],
        ["--frames=:100", "--size=-1x360", "--cuts=none", "--codec=libx265", "--crf=21.5"],
        ["--frames=7:", "--fps=30000/1001", "--keep=flow,occlusion", "--discard-frames"],
        ["--temporal-strength=0.0", "--flow=deepflow", "--segment-length=8", "--log-level=DEBUG"],
        ["--flow-dir=/a/b c", "--decode=local", "--keep=occlusion", "--overwrite", "--restart"],
        ["--pipeline=overlap", "--overlap-segment=90", "--first-frame-model=wave", "--style=-x"],
        [
            "--time-limit=3600",
            "--grace=20",
            "--on-error=keep-going",
            "--preset=fast",
            "--run-file=/r",
        ],
    ],
)
def test_the_script_says_what_the_user_said(arguments: list[str], tmp_path: Path) -> None:
    places = [str(tmp_path / "a film.mp4"), "-o", str(tmp_path / "out.mp4")]
    options = stylize_options(command_parser("stylize", stylize).parse_args([*places, *arguments]))
    again = stylize_options(
        command_parser("stylize", stylize).parse_args([*places, *option_words(options)])
    )
    assert again == options


def test_places_in_the_script_do_not_depend_on_where_it_is_submitted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pt").write_bytes(b"")
    options = StylizeOptions(
        Path("in.mp4"),
        Path("out"),
        style="own.pt",
        codec="png",
        cuts="cuts.csv",
        fps=Fraction(25),
        log_dir=Path("logs"),
    )
    words = option_words(options)
    for name in ("own.pt", "logs", "cuts.csv"):
        assert any(word.endswith(str(tmp_path / name)) for word in words)
    text = script(options, jobs=None)
    assert f"{tmp_path}/in.mp4 -o {tmp_path}/out/ --device=cpu --style" in text


def script(options: StylizeOptions, jobs: Path | None, **more: Any) -> str:
    wanted: dict[str, Any] = {
        "ranks": 16,
        "threads": 4,
        "gpus": 0,
        "seconds": 7000.0,
        "rank_bytes": 3 << 30,
        "python": "/opt/python",
    }
    return submission_script(options, jobs=jobs, **{**wanted, **more})


def given(text: str, folder: Path, **environment: str) -> list[str]:
    """The words that a script starts the program with, after the launcher's own."""
    done = subprocess.run(
        ["bash"],
        input=text,
        text=True,
        capture_output=True,
        env={"PATH": f"{folder}:/usr/bin:/bin", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A name that needs quotes; programs that print their arguments take the place of mpirun and
    lib.sh."""
    folder = tmp_path / "it's my $film"
    folder.mkdir()
    (folder / "lib.sh").write_text("stylize() { printf '%s\\n' stylize \"$@\"; }\n")
    mpirun = folder / "mpirun"
    mpirun.write_text("#!/bin/bash\nprintf '%s\\n' \"$@\"\n")
    mpirun.chmod(0o755)
    return folder


@pytest.mark.parametrize("with_library", [False, True])
def test_the_script_asks_for_what_was_planned_and_starts_it(
    with_library: bool, folder: Path
) -> None:
    style = folder / "`touch x`.pt"
    style.write_bytes(b"")
    options = StylizeOptions(
        folder / "in.mp4",
        folder / "o.mp4",
        style=str(style),
        keep_colors=True,
        flow_dir=folder / "a; b",
    )
    text = script(options, folder if with_library else None)
    for line in (
        "--ntasks=16",
        "--cpus-per-task=4",
        "--mem-per-cpu=768M",
        "--time=02:55:00",
        "--signal=B:USR1@60",
        "--requeue",
    ):
        assert f"#SBATCH {line}\n" in text
    assert ("#SBATCH --no-kill\n" in text) == with_library
    assert "gpu" not in text
    rest = ["--device=cpu", f"--style={style}", f"--flow-dir={folder}/a; b", "--keep-colors"]
    if with_library:
        assert given(text, folder) == ["stylize", f"{folder}/in.mp4", f"{folder}/o.mp4", *rest]
    else:
        assert given(text, folder) == [
            "-n",
            "16",
            "/opt/python",
            "-m",
            "fastvid",
            "stylize",
            f"{folder}/in.mp4",
            "-o",
            f"{folder}/o.mp4",
            *rest,
            "--threads",
            "4",
        ]


@pytest.mark.parametrize(
    "ranks, gpus, lines",
    [
        (16, 4, {"nodes": 4, "ntasks": 16, "ntasks-per-node": 4, "gres": "gpu:4"}),
        (3, 8, {"nodes": 1, "ntasks": 3, "ntasks-per-node": 3, "gres": "gpu:3"}),
        (5, 4, {"nodes": 2, "ntasks": 5, "ntasks-per-node": 3, "gres": "gpu:3"}),
        (1, 1, {"nodes": 1, "ntasks": 1, "ntasks-per-node": 1, "gres": "gpu:1"}),
    ],
)
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_plan_on_gpus_asks_for_one_a_rank(
    ranks: int, gpus: int, lines: dict[str, int | str], device: str, folder: Path
) -> None:
    """And for whatever jobs/stylize-gpu.sbatch asks for; the ranks may not fall back on CPUs."""
    options = StylizeOptions(folder / "in.mp4", folder / "o.mp4", device=device)
    text = script(options, folder, ranks=ranks, gpus=gpus)
    for name, value in lines.items():
        assert f"#SBATCH --{name}={value}\n" in text
    assert given(text, folder)[3:] == ["--device=cuda"]
    asked, model = (
        set(re.findall(r"^#SBATCH --([\w-]+)", one, re.MULTILINE))
        for one in (text, (JOBS / "stylize-gpu.sbatch").read_text())
    )
    assert model <= asked and asked - model == {"ntasks"}


@pytest.mark.parametrize(
    "restarts, words", [("0", ["--restart"]), ("1", []), (None, ["--restart"])]
)
def test_a_requeued_job_does_not_start_over_again(
    restarts: str | None, words: list[str], folder: Path
) -> None:
    options = StylizeOptions(folder / "in.mp4", folder / "o.mp4", restart=True)
    environment = {} if restarts is None else {"SLURM_RESTART_COUNT": restarts}
    found = given(script(options, None), folder, **environment)
    assert [word for word in found if word == "--restart"] == words


def test_a_short_job_asks_for_some_minutes(tmp_path: Path) -> None:
    text = script(StylizeOptions(tmp_path / "i.mp4", tmp_path / "o.mp4"), None, seconds=5.0)
    assert "#SBATCH --time=00:10:00\n" in text


def test_the_command_writes_a_script_once(
    run_main: Callable[..., tuple[int, str]], uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run.sbatch"
    command = [
        "plan",
        uncut_clip.path,
        "--style",
        tiny_style,
        "--ranks",
        "1,2",
        "--threads",
        1,
        "-o",
        tmp_path / "out.mkv",
        "--script",
        path,
    ]
    assert run_main(*command)[0] == 0
    text = path.read_text()
    assert text.startswith("#!") and str(uncut_clip.path) in text and str(tiny_style) in text
    status, errors = run_main(*command)
    assert status == 2 and "--overwrite" in errors
    assert run_main(*command, "--overwrite")[0] == 0
    assert not (tmp_path / "out.mkv").exists()


def test_a_script_that_cannot_be_written(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    options = StylizeOptions(uncut_clip.path, tmp_path / "out.mkv", style=str(tiny_style))
    plan = make_plan(options, [1])
    with pytest.raises(InputError, match="nowhere"):
        write_script(tmp_path / "nowhere" / "run.sbatch", plan, options, overwrite=False)
