"""Training as a user runs it, at toy size: losses fall, a kill costs nothing, bad input is
named."""

import multiprocessing
import os
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fastvid.errors import FastvidError, InputError, StorageError
from fastvid.style.loading import load_style
from fastvid.style.network import build_network, for_painting
from fastvid.system import files
from fastvid.training import command
from fastvid.training.bank import StyleBank, pick_style
from fastvid.training.photos import find_photos, read_painting
from fastvid.training.sampling import Sample
from fastvid.training.trainer import Trainer
from fastvid.training.world import World
from support.trainings import ARCH, arguments


def test_losses_fall_and_the_result_is_a_style(folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    output = tmp_path / "red.pt"
    more = ("--steps", "40", "--learning-rate", "0.01", "--stability-start", "0.5")
    command.run(arguments(folder, output, *more), say=lines.append)
    table = np.genfromtxt(f"{output}.training/losses.csv", delimiter=",", names=True)
    assert table["step"].tolist() == list(range(4, 41, 4))
    # Means over the single pictures at the start and over the pairs at the end, all terms but
    # the temporal one, which the first half does not have.
    start, end = table[0], table[-1]
    assert end["style"] < 0.7 * start["style"]
    assert start["temporal"] == 0 and end["temporal"] > 0
    assert any("step 40/40" in line for line in lines)
    pictures = sorted((tmp_path / "red.pt.training").glob("pictures_*.png"))
    shown = cv2.imread(str(pictures[-1]))
    assert shown is not None and shown.shape == (256, 2 * 256, 3)
    (painted,) = load_style(str(output)).paint([np.zeros((30, 41, 3), np.uint8)])
    assert painted.shape == (30, 41, 3)


def test_an_interrupted_run_goes_on_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    more = ("--steps", "8", "--stability-start", "0.25")
    paintings = ("red", "blue")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    command.run(arguments(folder, whole, *more, paintings=paintings))
    lines: list[str] = []

    def stop_after_six(line: str) -> None:
        lines.append(line)
        if "step 8/8" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        command.run(arguments(folder, cut, *more, paintings=paintings), say=stop_after_six)
    resumed: list[str] = []
    command.run(arguments(folder, cut, *more, paintings=paintings), say=resumed.append)
    assert "step 4 of 8" in resumed[0]
    for name in paintings:
        assert (whole / f"{name}.pt").read_bytes() == (cut / f"{name}.pt").read_bytes()
    states = [torch.load(f"{path}.training/state.pt") for path in (whole, cut)]
    assert states[0]["step"] == states[1]["step"] == 8
    for part in ("bank", "average"):
        for key, value in states[0][part].items():
            assert torch.equal(value, states[1][part][key])
    for one, two in zip(*(s["adam"]["state"].values() for s in states), strict=True):
        assert all(torch.equal(one[key], two[key]) for key in one)


def _rank(folder: Path, output: Path, rank: int, port: int) -> None:
    torch.set_num_threads(1)
    more = ("--steps", "2", "--accumulate", "1", "--stability-start", "1")
    world = World(rank, 2, "127.0.0.1", port)
    command.run(arguments(folder, output, *more), world)


def test_two_ranks_train_what_one_rank_accumulates(folder: Path, tmp_path: Path) -> None:
    more = ("--steps", "2", "--accumulate", "2", "--stability-start", "1")
    command.run(arguments(folder, tmp_path / "one.pt", *more))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    ranks = [
        context.Process(target=_rank, args=(folder, tmp_path / "two.pt", rank, port))
        for rank in range(2)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
    assert [process.exitcode for process in ranks] == [0, 0]
    one, two = (torch.load(tmp_path / f"{name}.pt")["state_dict"] for name in ("one", "two"))
    for key in one:
        torch.testing.assert_close(one[key], two[key], atol=1e-5, rtol=1e-4)


def test_an_exported_style_paints_as_the_bank_does() -> None:
    torch.manual_seed(0)
    bank = StyleBank(ARCH, 3)
    for parameter in bank.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    images = torch.rand(1, 3, 32, 36) * 255
    for style in range(3):
        plain = build_network(ARCH)
        plain.load_state_dict(bank.exported(style))
        mean = torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1)
        with torch.no_grad():
            expected = for_painting(plain)(images - mean) * 150 + mean
            torch.testing.assert_close(bank(images, style), expected, atol=1e-3, rtol=1e-4)
            pair = bank(images.repeat(2, 1, 1, 1), style)
            torch.testing.assert_close(pair[1:], expected, atol=1e-2, rtol=1e-3)
    assert set(pick_style(bank.network.state_dict(), 0)) == set(build_network(ARCH).state_dict())


@pytest.mark.parametrize("side", [70, 133, 200])
def test_the_painting_has_the_size_asked_for(folder: Path, side: int) -> None:
    """Enlarged too: the size in pixels is the size of the strokes."""
    painting = read_painting(str(folder / "red.png"), side)
    assert painting.shape == (round(70 * side / 64), side, 3)


def test_every_photograph_comes_once_in_a_pass(folder: Path) -> None:
    photos = find_photos(str(folder / "photos"), 32)
    count = len(photos.training)
    for start in (0, count):
        chosen = [photos.chosen(item, 5)[0] for item in range(start, start + count)]
        assert sorted(chosen) == sorted(photos.training)
    assert not set(photos.held_out) & set(photos.training)


@pytest.mark.parametrize(
    "more, reason",
    [
        (("--data", "{root}"), "red.png|no images"),
        (("--data", "{root}/none"), "none"),
        (("--data", "{root}/empty"), "no images"),
        (("--data", "{root}/broken"), "x.jpg"),
        (("--style", "{root}/tiny.png"), "8x8"),
        (("--style", "{root}/loss.npz"), "loss.npz"),
        (("--loss-network", "{root}/red.png"), "loss network"),
        (("--arch", "c3s1-4,q9"), "q9"),
        (("--size", "31"), "31"),
        (("--steps", "0"), "--steps 0"),
        (("--style-weight", "1", "2"), "2 numbers for 1"),
        (("--learning-rate", "-1"), "--learning-rate"),
        (("--temporal-weight", "-1"), "--temporal-weight"),
        (("--painting-side", "64", "65"), "2 numbers for 1"),
        (("--painting-side", "0"), "--painting-side 0"),
        (("--pair-share", "2"), "--pair-share"),
        (("--minutes", "0"), "--minutes"),
        (("--all-weights",), "--all-weights"),
        (("--from", "starry_nigth"), "did you mean starry_night"),
        (("--from", "{root}/red.png"), "red.png"),
        (("-o", "{root}/red.png/x.pt"), "red.png"),
    ],
)
def test_bad_input_is_named(
    folder: Path, tmp_path: Path, more: tuple[str, ...], reason: str
) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "broken").mkdir(exist_ok=True)
    (folder / "broken" / "x.jpg").write_bytes(b"no image at all")
    cv2.imwrite(str(folder / "tiny.png"), np.zeros((8, 8, 3), np.uint8))
    if more[-1] == "{root}":
        more = ("--data", str(folder / "loss.npz"))
        reason = "loss.npz"
    filled = [text.format(root=folder) for text in more]
    with pytest.raises(InputError, match=reason) as caught:
        command.run(arguments(folder, tmp_path / "x.pt", "--steps", "1", *filled))
    assert len(str(caught.value).splitlines()) <= 3


def test_a_state_of_another_run_is_not_continued(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.pt"
    command.run(arguments(folder, output, "--steps", "1"))
    with pytest.raises(InputError, match=r"content_weight was 1.5, now 2.0"):
        command.run(arguments(folder, output, "--steps", "2", "--content-weight", "2"))
    (tmp_path / "x.pt.training" / "state.pt").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match="damaged"):
        command.run(arguments(folder, output, "--steps", "2"))


def test_a_state_knows_on_how_many_ranks(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Others would get other pictures, styles and batches; states of before are continued."""
    output, state = tmp_path / "x.pt", tmp_path / "x.pt.training" / "state.pt"
    command.run(arguments(folder, output, "--steps", "1"))
    saved = torch.load(state, weights_only=True)
    saved["identity"]["ranks"] = 2
    torch.save(saved, state)
    with pytest.raises(InputError, match="ranks was 2, now 1"):
        command.run(arguments(folder, output, "--steps", "2"))
    del saved["identity"]["ranks"]
    torch.save(saved, state)
    command.run(arguments(folder, output, "--steps", "2"))
    assert "does not say on how many ranks" in caplog.text


def test_a_gradient_that_is_not_finite_changes_no_weight(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss may be finite: the square root of 0 has one."""
    output = tmp_path / "x.pt"
    command.run(arguments(folder, output, "--steps", "2", "--save-every", "1"))
    state = tmp_path / "x.pt.training" / "state.pt"
    before = state.read_bytes()
    terms = Trainer._terms

    def steep(trainer: Trainer, sample: Sample) -> dict[str, torch.Tensor]:
        found = terms(trainer, sample)
        return {**found, "total": found["total"] + (found["content"] * 0).sqrt()}

    monkeypatch.setattr(Trainer, "_terms", steep)
    with pytest.raises(FastvidError, match="diverged in step 3"):
        command.run(arguments(folder, output, "--steps", "4", "--save-every", "1"))
    assert state.read_bytes() == before


def test_divergence_is_one_message_and_keeps_the_last_state(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "x.pt"
    command.run(arguments(folder, output, "--steps", "4"))
    before = output.read_bytes()
    terms = Trainer._terms

    def broken(trainer: Trainer, sample: Sample) -> dict[str, torch.Tensor]:
        return {name: value * float("nan") for name, value in terms(trainer, sample).items()}

    monkeypatch.setattr(Trainer, "_terms", broken)
    with pytest.raises(FastvidError, match="diverged in step 5"):
        command.run(arguments(folder, output, "--steps", "8"))
    assert output.read_bytes() == before
    saved = torch.load(tmp_path / "x.pt.training" / "state.pt")
    assert all(torch.isfinite(value).all() for value in saved["bank"].values())


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "style.pt"
    files.write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
