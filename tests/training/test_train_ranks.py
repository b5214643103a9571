"""`fastvid train` under mpirun: two ranks train one style; what is wrong is said once."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.runfile.lock import RunLock
from fastvid.style.loading import load_style
from fastvid.training.state import STATE_NAME
from support.launching import run_program
from support.loss_networks import vgg_npz
from support.places import REPOSITORY

pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    root = tmp_path_factory.mktemp("train-ranks")
    random = np.random.default_rng(0)
    (root / "photos").mkdir()
    for number in range(5):
        small = random.integers(0, 256, (5, 6, 3), np.uint8)
        cv2.imwrite(
            str(root / "photos" / f"{number}.png"),
            cv2.resize(small, (50, 41), interpolation=cv2.INTER_CUBIC),
        )
    cv2.imwrite(str(root / "red.png"), random.integers(0, 256, (70, 64, 3), np.uint8))
    vgg_npz(root / "loss.npz")
    return [
        "train",
        "--style",
        root / "red.png",
        "--data",
        root / "photos",
        "--loss-network",
        root / "loss.npz",
        "--arch",
        "c3s1-4,d8,R8,U2,c3s1-3",
        "--size",
        "32",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--report-every",
        "1",
    ]


def test_a_log_that_nobody_reads_ends_no_training(options: list[object], tmp_path: Path) -> None:
    output = tmp_path / "red.pt"
    reading, writing = os.pipe()
    os.close(reading)
    finished = subprocess.run(
        [sys.executable, "-m", "fastvid", *map(str, options), "-o", output, "--steps", "2"],
        cwd=REPOSITORY,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=300,
    )
    os.close(writing)
    assert finished.returncode == 0 and finished.stderr == b""
    load_style(str(output))


def test_what_is_wrong_is_said_once(options: list[object], tmp_path: Path) -> None:
    command = [*options, "-o", tmp_path / "red.pt", "--steps", "2", "--style", tmp_path / "no.png"]
    finished = run_program(["-m", "fastvid"], command, ranks=2)
    assert finished.status == 2
    assert finished.stderr.count("no.png") == 1 and "Traceback" not in finished.stderr
    assert not list(tmp_path.iterdir())


def test_two_ranks_train_one_style_if_its_state_is_theirs(
    options: list[object], tmp_path: Path
) -> None:
    """Two trainings would overwrite each other's steps."""
    state = tmp_path / "red.pt.training"
    state.mkdir()
    command = [*options, "-o", tmp_path / "red.pt", "--steps", "2"]
    with RunLock(state / STATE_NAME):
        finished = run_program(["-m", "fastvid"], command, ranks=2)
        assert finished.status == 2
        assert "still going" in finished.stderr and "--state" in finished.stderr
        assert not (state / STATE_NAME).exists()
    finished = run_program(["-m", "fastvid"], command, ranks=2)
    assert finished.status == 0, finished.stderr
    assert finished.stdout.count("step 2/2") == 1
    load_style(str(tmp_path / "red.pt"))
    assert not list(state.glob(".*"))
