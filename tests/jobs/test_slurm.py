"""The job scripts under a real Slurm of four nodes, which is started for these tests."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from support import job_clips
from support.job_clips import Clip
from support.loss_networks import vgg_npz
from support.places import JOBS
from support.slurm_cluster import SlurmCluster
from support.slurm_jobs import SMALL, SRUN, arguments, frames_in, start_again_soon

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.mpi, pytest.mark.timeout(600)]


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
