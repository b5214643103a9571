"""Training on from a style: a new style of the same network, or the whole network."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fastvid.errors import InputError
from fastvid.style.checkpoint import Checkpoint, read_checkpoint
from fastvid.style.mixing import check_same_network, norm_keys
from fastvid.training import command
from support.trainings import ARCH, arguments


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of two styles that were trained together."""
    output = tmp_path_factory.mktemp("trained")
    command.run(arguments(folder, output, "--steps", "8", paintings=("red", "blue")))
    return [output / "red.pt", output / "blue.pt"]


def new_style(folder: Path, output: Path, *more: str) -> Checkpoint:
    """Trains a third painting, in whatever network the options name."""
    random = np.random.default_rng(5)
    cv2.imwrite(str(folder / "green.png"), random.integers(0, 200, (66, 80, 3), np.uint8))
    command.run(arguments(folder, output, "--arch", ARCH, *more, paintings=("green",)))
    return read_checkpoint(output)


def test_a_new_style_has_the_convolutions_of_the_old(
    folder: Path, trained: list[Path], tmp_path: Path
) -> None:
    old = [read_checkpoint(path) for path in trained]
    new = new_style(folder, tmp_path / "green.pt", "--from", str(trained[1]), "--steps", "12")
    check_same_network([*old, new], ["red", "blue", "green"])
    norms = norm_keys(new.weights)
    differing = {k for k, v in new.weights.items() if not torch.equal(v, old[1].weights[k])}
    assert differing == norms


def test_it_begins_as_the_style_that_it_comes_from(
    folder: Path, trained: list[Path], tmp_path: Path
) -> None:
    """A step at hardly any learning rate leaves its numbers where they were."""
    old = read_checkpoint(trained[0])
    options = ("--from", str(trained[0]), "--steps", "1", "--learning-rate", "1e-9")
    new = new_style(folder, tmp_path / "x.pt", *options)
    for key, weight in old.weights.items():
        torch.testing.assert_close(new.weights[key], weight, rtol=0, atol=1e-3)


def test_all_weights_make_another_network(
    folder: Path, trained: list[Path], tmp_path: Path
) -> None:
    options = ("--from", str(trained[0]), "--all-weights", "--steps", "4")
    new = new_style(folder, tmp_path / "x.pt", *options)
    with pytest.raises(InputError, match="two networks"):
        check_same_network([read_checkpoint(trained[0]), new], ["red", "green"])


def test_several_styles_go_on_together(folder: Path, trained: list[Path], tmp_path: Path) -> None:
    """Each from its own, with the steps after the first as if nothing had been between."""
    names = [str(path) for path in trained]
    more = ("--all-weights", "--steps", "2", "--learning-rate", "1e-9")
    command.run(arguments(folder, tmp_path, "--from", *names, *more, paintings=("red", "blue")))
    for path in trained:
        old, new = read_checkpoint(path), read_checkpoint(tmp_path / path.name)
        for key, weight in old.weights.items():
            torch.testing.assert_close(new.weights[key], weight, rtol=0, atol=1e-3)


def test_minutes_end_a_training_and_are_kept(
    folder: Path, trained: list[Path], tmp_path: Path
) -> None:
    """A second here; what an interrupted run has used up counts when it goes on."""
    output = tmp_path / "x.pt"
    began = time.monotonic()
    new_style(folder, output, "--from", str(trained[0]), "--minutes", "0.02")
    assert time.monotonic() - began >= 1.2
    state = torch.load(f"{output}.training/state.pt")
    assert state["seconds"] >= 1.2 and state["step"] > 1
    before = output.read_bytes()
    new_style(folder, output, "--from", str(trained[0]), "--minutes", "0.02")
    assert torch.load(f"{output}.training/state.pt")["step"] == state["step"]
    assert output.read_bytes() == before


def test_what_contradicts_the_network_is_named(
    folder: Path, trained: list[Path], tmp_path: Path
) -> None:
    start = ("--from", str(trained[0]), "--steps", "1")
    for more, reason in (
        (("--arch", "c3s1-3"), "--arch"),
        (("--recurrent",), "--recurrent"),
        (("--from", str(trained[0]), str(trained[1]), "wave"), "3 styles for 1 paintings"),
    ):
        with pytest.raises(InputError, match=reason):
            new_style(folder, tmp_path / "x.pt", *start, *more)
