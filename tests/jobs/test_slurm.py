"""The job scripts under a real Slurm of four nodes, which is started for these tests."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.errors import InputError
from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import mpirun, run_fastvid
from support.loss_networks import vgg_npz
from support.places import JOBS, PROGRAMS, REPOSITORY
from support.slurm_cluster import SlurmCluster, SlurmUnavailable

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.mpi, pytest.mark.timeout(600)]

# Two tasks on two nodes, instead of what the scripts ask for.
SMALL = ("--nodes=2", "--ntasks=2", "--cpus-per-task=1", "--mem-per-cpu=500")
MIN_STORED = 3
# A node refuses a job whose credential dates from the second in which it ended the job's former run
# ("already killed, do not launch batch job"), and the controller then fails the job.
CREDENTIAL_S = 2.0
SRUN = "srun --mpi=pmi2 --kill-on-bad-exit=1"


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmCluster]:
    launcher = mpirun()
    try:
        cluster = SlurmCluster()
    except SlurmUnavailable as reason:
        pytest.skip(str(reason))
    with cluster:
        cluster.environment.update(
            FASTVID_PYTHON=sys.executable,
            PYTHONPATH=str(REPOSITORY),
            OMP_NUM_THREADS="1",
            PATH=os.pathsep.join([str(Path(launcher).parent), cluster.environment["PATH"]]),
        )
        yield cluster


@pytest.fixture(scope="module")
def expected(cut_clip: Clip, tiny_style: Path) -> np.ndarray:
    """What the plain loop makes of the clip."""
    return oracle.repaint(
        job_clips.decoded_frames(cut_clip.path), cut_clip.cuts, load_style(str(tiny_style))
    )


@pytest.fixture
def slow(slurm: SlurmCluster) -> Iterator[dict[str, str]]:
    """The environment of a job that pauses before every frame, until `pause` is removed."""
    wrapper, pause = slurm.work / "slow-python", slurm.work / "pause"
    wrapper.write_text(
        f"#!/bin/sh\nshift 2  # -m fastvid\nexec {sys.executable} "
        f'{PROGRAMS / "slow_paint.py"} "$@"\n'
    )
    wrapper.chmod(0o755)
    pause.write_text("2")
    yield {"FASTVID_PYTHON": str(wrapper), "FASTVID_TEST_PAUSE": str(pause)}
    pause.unlink(missing_ok=True)


def arguments(clip: Clip, output: Path, style: Path) -> list[object]:
    return [
        clip.path,
        output,
        "--style",
        style,
        "--cuts",
        clip.cuts_option,
        "--segment-length",
        "1",
    ]


def stand_in(folder: Path, *program: object) -> str:
    """A Python that runs another program in the place of `-m fastvid`, unless the job was
    requeued."""
    path = folder / "python"
    words = shlex.join([sys.executable, *map(str, program)])
    path.write_text(f"""#!/bin/sh
[ -n "$SLURM_RESTART_COUNT" ] && exec {sys.executable} "$@"
shift 2  # -m fastvid
exec {words} "$@"
""")
    path.chmod(0o755)
    return str(path)


def frames_in(run_file: Path) -> np.ndarray:
    with RunFile(run_file) as run:
        assert run.complete
        return np.stack([run.frame(index) for index in range(run.frame_count)])


def wait_for_frames(run_file: Path, count: int, timeout: float = 120.0) -> None:
    """Until so many frames can be read from the file of a job that is under way."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            with RunFile(run_file) as run:
                if int(run.stored.sum()) >= count:
                    return
        except InputError:
            pass  # not there yet, or caught in the middle of a write
        time.sleep(0.3)
    pytest.fail(f"{run_file} does not get {count} frames")


def start_again_soon(slurm: SlurmCluster, job: str) -> None:
    """Waits until the job is back in the queue; spares it the two minutes that it rests there."""
    slurm.wait(
        job, lambda records: records[-1]["JobState"] == "PENDING" and records[-1]["Restarts"] == "1"
    )
    time.sleep(CREDENTIAL_S)  # all nodes have ended it by now
    slurm.run("scontrol", "update", f"JobId={job}", "StartTime=now", "TimeLimit=10")


def test_cpu_job_completes_on_two_nodes(
    slurm: SlurmCluster, cut_clip: Clip, tiny_style: Path, expected: np.ndarray
) -> None:
    output = slurm.work / "cpu.mkv"
    job = slurm.submit(
        *SMALL, JOBS / "stylize-cpu.sbatch", *arguments(cut_clip, output, tiny_style)
    )
    (record,) = slurm.wait(job)
    assert record["JobState"] == "COMPLETED" and record["NumNodes"] == "2", slurm.logs()
    assert np.array_equal(frames_in(slurm.work / "cpu.h5"), expected)
    with RunFile(slurm.work / "cpu.h5") as run:
        assert run.attributes["ranks"] == 2
    assert job_clips.decoded_times(output) == job_clips.decoded_times(cut_clip.path)


def test_script_is_found_by_a_relative_path(
    slurm: SlurmCluster, uncut_clip: Clip, tiny_style: Path
) -> None:
    """As users submit it: from a folder of theirs, with paths relative to it; srun launches."""
    folder = slurm.work / "my films"
    folder.mkdir()
    (folder / "jobs").symlink_to(JOBS)
    (folder / "in.mkv").symlink_to(uncut_clip.path)
    submitted = slurm.run(
        "env",
        "--chdir",
        folder,
        "sbatch",
        "--parsable",
        *SMALL,
        "jobs/stylize-cpu.sbatch",
        "in.mkv",
        "out.mkv",
        "--style",
        tiny_style,
        FASTVID_LAUNCH=SRUN,
    )
    job = submitted.stdout.strip()
    (record,) = slurm.wait(job)
    assert record["JobState"] == "COMPLETED", slurm.logs()
    with RunFile(folder / "out.h5") as run:
        assert run.complete and run.attributes["ranks"] == 2


def test_gpu_job_completes_on_two_nodes(
    slurm: SlurmCluster, uncut_clip: Clip, tiny_style: Path
) -> None:
    """Slurm hands out a GPU a node, with nothing behind it: hence the device of the user."""
    job = slurm.submit(
        "--nodes=2",
        "--cpus-per-task=1",
        "--mem-per-cpu=500",
        JOBS / "stylize-gpu.sbatch",
        uncut_clip.path,
        slurm.work / "gpu.mkv",
        "--style",
        tiny_style,
        "--device",
        "cpu",
    )
    (record,) = slurm.wait(job)
    assert record["JobState"] == "COMPLETED" and record["NumNodes"] == "2", slurm.logs()
    with RunFile(slurm.work / "gpu.h5") as run:
        assert run.complete and run.attributes["ranks"] == 2


def test_styles_array(
    slurm: SlurmCluster, cut_clip: Clip, tiny_style: Path, expected: np.ndarray
) -> None:
    (slurm.work / "styles.txt").write_text(f"{tiny_style}\nstarry_night\n")
    job = slurm.submit(
        *SMALL,
        "--array=1-3",
        JOBS / "styles-array.sbatch",
        cut_clip.path,
        "painted",
        "styles.txt",
        "--cuts",
        cut_clip.cuts_option,
    )
    records = slurm.wait(job)
    states = [record["JobState"] for record in records]
    assert states == ["COMPLETED", "COMPLETED", "FAILED"], slurm.logs()
    assert records[2]["ExitCode"] == "2:0" and "styles.txt has nothing on line 3" in slurm.logs()
    assert np.array_equal(frames_in(slurm.work / "painted" / "tiny.h5"), expected)
    with RunFile(slurm.work / "painted" / "starry_night.h5") as run:
        assert run.complete and run.attributes["style"] == "starry_night"


def test_videos_array_requeues_one_task(
    slurm: SlurmCluster, slow: dict[str, str], cut_clip: Clip, uncut_clip: Clip, tiny_style: Path
) -> None:
    """The last task bears the number of the whole array; its warning must not bring back others."""
    (slurm.work / "a film.mkv").symlink_to(uncut_clip.path)
    (slurm.work / "videos.txt").write_text(f"a film.mkv\n{cut_clip.path}\n")
    Path(slow["FASTVID_TEST_PAUSE"]).write_text("0")
    job = slurm.submit(
        *SMALL,
        "--array=1-2%1",
        JOBS / "videos-array.sbatch",
        "videos.txt",
        "made",
        "--style",
        tiny_style,
        "--segment-length",
        "1",
        **slow,
    )
    slurm.wait(job, lambda records: records[0]["JobState"] == "COMPLETED" and len(records) == 2)
    Path(slow["FASTVID_TEST_PAUSE"]).write_text("2")
    wait_for_frames(slurm.work / "made" / "cut.h5", 1)
    slurm.run("scancel", "--batch", "--signal=USR1", f"{job}_2")
    start_again_soon(slurm, f"{job}_2")
    Path(slow["FASTVID_TEST_PAUSE"]).unlink()
    records = slurm.wait(job)
    assert [(r["JobState"], r["Restarts"]) for r in records] == [
        ("COMPLETED", "0"),
        ("COMPLETED", "1"),
    ], slurm.logs()
    for name in ("a film", "cut"):
        with RunFile(slurm.work / "made" / f"{name}.h5") as run:
            assert run.complete


def test_training_job_goes_on_after_a_warning(slurm: SlurmCluster) -> None:
    """On a GPU as Slurm sees it; there is none behind it."""
    folder = slurm.work / "training"
    (folder / "photos").mkdir(parents=True)
    random = np.random.default_rng(0)
    for path in (folder / "wave.png", *(folder / "photos" / f"{i}.png" for i in range(5))):
        small = random.integers(0, 256, (5, 6, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, (80, 72), interpolation=cv2.INTER_CUBIC))
    vgg_npz(folder / "loss.npz")
    job = slurm.submit(
        "--cpus-per-task=1",
        "--mem=500",
        JOBS / "train.sbatch",
        "--style",
        folder / "wave.png",
        "--data",
        folder / "photos",
        "--loss-network",
        folder / "loss.npz",
        "-o",
        folder / "wave.pt",
        "--arch",
        job_clips.STYLE_ARCH,
        "--size",
        "32",
        "--steps",
        "300",
        "--save-every",
        "10",
        "--report-every",
        "10",
        "--device",
        "cpu",
    )
    losses = folder / "wave.pt.training" / "losses.csv"
    slurm.wait(job, lambda records: (folder / "wave.pt").exists())
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    start_again_soon(slurm, job)
    lines_before = losses.read_text().splitlines()
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("COMPLETED", "1"), slurm.logs()
    lines = losses.read_text().splitlines()
    assert len(lines_before) < len(lines) == 1 + 300 // 10
    assert lines[:2] == lines_before[:2]  # not begun anew: the seconds a step would differ
    load_style(str(folder / "wave.pt"))


def test_time_limit_requeues_and_changes_nothing(
    slurm: SlurmCluster,
    slow: dict[str, str],
    cut_clip: Clip,
    tiny_style: Path,
    expected: np.ndarray,
) -> None:
    """Slurm looks at its limits twice a minute: the job must last longer than that."""
    pause = Path(slow["FASTVID_TEST_PAUSE"])
    pause.write_text("4")
    output = slurm.work / "limited.mkv"
    job = slurm.submit(
        *SMALL,
        "--time=10",
        JOBS / "stylize-cpu.sbatch",
        *arguments(cut_clip, output, tiny_style),
        **slow,
    )
    wait_for_frames(slurm.work / "limited.h5", MIN_STORED)
    # The warning is due a minute before the end: at once.
    slurm.run("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    start_again_soon(slurm, job)
    with RunFile(slurm.work / "limited.h5") as run:
        stored = np.flatnonzero(run.stored)
        assert MIN_STORED <= len(stored) < cut_clip.frame_count and not run.complete
        assert all(np.array_equal(run.frame(i), expected[i]) for i in stored)
    pause.unlink()
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("COMPLETED", "1"), slurm.logs()
    assert np.array_equal(frames_in(slurm.work / "limited.h5"), expected)
    assert job_clips.decoded_times(output) == job_clips.decoded_times(cut_clip.path)
    assert f"{len(stored)} of {cut_clip.frame_count} frames are there" in slurm.logs()


def test_warning_without_a_restart_left_is_a_failure(
    slurm: SlurmCluster, slow: dict[str, str], cut_clip: Clip, tiny_style: Path
) -> None:
    output = slurm.work / "last.mkv"
    job = slurm.submit(
        *SMALL,
        JOBS / "stylize-cpu.sbatch",
        *arguments(cut_clip, output, tiny_style),
        FASTVID_MAX_RESTARTS="0",
        **slow,
    )
    wait_for_frames(slurm.work / "last.h5", 1)
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["ExitCode"], record["Restarts"]) == (
        "FAILED",
        "75:0",
        "0",
    ), slurm.logs()
    assert not output.exists() and "giving up (FASTVID_MAX_RESTARTS=0)" in slurm.logs()


@pytest.mark.parametrize("late_s", [0.0, 3600.0], ids=["in good order", "killed"])
def test_warning_requeues_what_srun_launched(
    slurm: SlurmCluster, uncut_clip: Clip, tiny_style: Path, late_s: float
) -> None:
    """Also if a rank is still busy at the end of the grace period, as with loading libraries, and
    is killed. The restarted job runs as any other."""
    folder = slurm.work / f"srun-{late_s:.0f}"
    folder.mkdir()
    python = stand_in(folder, PROGRAMS / "late_loading.py")
    output = folder / "out.mkv"
    job = slurm.submit(
        *SMALL,
        JOBS / "stylize-cpu.sbatch",
        *arguments(uncut_clip, output, tiny_style),
        "--grace",
        "6",
        FASTVID_LAUNCH=SRUN,
        FASTVID_PYTHON=python,
        FASTVID_TEST_LATE=f"{late_s} {folder}",
    )
    wait_for_frames(folder / "out.h5", 1)
    slurm.run("scancel", "--batch", "--signal=USR1", job)
    start_again_soon(slurm, job)
    assert (folder / "sent-home").exists() and (folder / "left").exists() == (late_s == 0.0)
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("COMPLETED", "1"), slurm.logs()
    with RunFile(folder / "out.h5") as run:
        assert run.complete


def test_a_killed_rank_ends_what_srun_launched(
    slurm: SlurmCluster, uncut_clip: Clip, tiny_style: Path
) -> None:
    """As when its node runs out of memory. Nobody asks for the job again: it has failed."""
    folder = slurm.work / "srun-killed-rank"
    folder.mkdir()
    rules = json.dumps(
        [
            {"stage": "paint", "sleep": 0.3},
            {"stage": "paint", "ranks": [1], "call": 3, "action": "kill"},
        ]
    )
    job = slurm.submit(
        *SMALL,
        JOBS / "stylize-cpu.sbatch",
        *arguments(uncut_clip, folder / "out.mkv", tiny_style),
        FASTVID_LAUNCH=SRUN,
        FASTVID_PYTHON=stand_in(folder, PROGRAMS / "patched.py", rules),
    )
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("FAILED", "0"), slurm.logs()
    with RunFile(folder / "out.h5") as run:
        assert run.stored.any() and not run.complete


def test_cancel_leaves_a_usable_run_file(
    slurm: SlurmCluster,
    slow: dict[str, str],
    cut_clip: Clip,
    tiny_style: Path,
    expected: np.ndarray,
) -> None:
    output = slurm.work / "cancelled.mkv"
    command = arguments(cut_clip, output, tiny_style)
    job = slurm.submit(*SMALL, JOBS / "stylize-cpu.sbatch", *command, **slow)
    wait_for_frames(slurm.work / "cancelled.h5", MIN_STORED)
    slurm.run("scancel", job)
    (record,) = slurm.wait(job)
    assert (record["JobState"], record["Restarts"]) == ("CANCELLED", "0"), slurm.logs()
    with RunFile(slurm.work / "cancelled.h5") as run:
        stored = np.flatnonzero(run.stored)
        assert MIN_STORED <= len(stored) < cut_clip.frame_count
        assert all(np.array_equal(run.frame(i), expected[i]) for i in stored)
    assert not output.exists()
    finished = run_fastvid("stylize", command[0], "-o", *command[1:], ranks=2)
    assert finished.status == 0, finished.stderr
    assert f"{len(stored)} of {cut_clip.frame_count} frames are there" in finished.stderr
    assert np.array_equal(frames_in(slurm.work / "cancelled.h5"), expected)


def test_srun_without_mpi_is_refused_once(
    slurm: SlurmCluster, cut_clip: Clip, tiny_style: Path
) -> None:
    finished = slurm.run(
        "srun",
        "--nodes=2",
        "--ntasks=2",
        "--mpi=none",
        sys.executable,
        "-m",
        "fastvid",
        cut_clip.path,
        "-o",
        "none.mkv",
        "--style",
        tiny_style,
        check=False,
        timeout=120.0,
    )
    assert finished.returncode == 2
    assert finished.stderr.count("fastvid: error:") == 1
    assert "--mpi=pmi2" in finished.stderr and "Traceback" not in finished.stderr
    assert not list(slurm.work.glob("none.*"))
