"""`fastvid train --recurrent` as a user runs it, at toy size, and the model in the pipeline."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fastvid.__main__ import main
from fastvid.errors import InputError
from fastvid.style.loading import load_recurrent, load_style
from fastvid.style.losses import masked_difference
from fastvid.training import command, recurrent_trainer, sequence_sampling
from fastvid.training.bank import StyleBank
from fastvid.training.photos import find_photos
from fastvid.training.recurrent_bank import Past, RecurrentBank
from fastvid.training.sampling import Sample, Sampler
from fastvid.training.sequence_sampling import SequenceSample, SequenceSampler
from fastvid.training.settings import TrainingSettings
from fastvid.training.world import World
from support import job_clips
from support.launching import run_program
from support.trainings import ARCH, arguments


def recurrent(
    folder: Path, output: Path, *more: str, paintings: tuple[str, ...] = ("red",)
) -> argparse.Namespace:
    return arguments(folder, output, "--recurrent", *more, paintings=paintings)


def test_losses_fall_and_the_past_keeps_what_is_painted(folder: Path, tmp_path: Path) -> None:
    """The steps with a past begin at 16 of 80; four frames follow the first one from 54 on."""
    output = tmp_path / "red.pt"
    more = (
        "--steps",
        "80",
        "--accumulate",
        "1",
        "--learning-rate",
        "0.01",
        "--stability-start",
        "0.2",
        "--report-every",
        "16",
        "--save-every",
        "80",
        "--temporal-weight",
        "200",
    )
    command.run(recurrent(folder, output, *more))
    table = np.genfromtxt(f"{output}.training/losses.csv", delimiter=",", names=True)
    assert table["step"].tolist() == [16, 32, 48, 64, 80]
    assert table["style"][-1] < 0.7 * table["style"][0]
    assert table["temporal"][0] == 0 < table["temporal"][-1] < 0.5 * table["temporal"][1]
    assert load_recurrent(output.read_bytes(), "red").variant == RecurrentBank.variant


def test_an_interrupted_run_goes_on_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    film = job_clips.write_clip(
        tmp_path / "film.mkv", job_clips.uncut_scenes()[:6], job_clips.uneven_times(6)
    )
    more = ("--steps", "8", "--stability-start", "0.25", "--batch", "2", "--video-data", str(film))
    paintings = ("red", "blue")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    command.run(recurrent(folder, whole, *more, paintings=paintings))

    def stop_at_the_end(line: str) -> None:
        if "step 8/8" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        command.run(recurrent(folder, cut, *more, paintings=paintings), say=stop_at_the_end)
    resumed: list[str] = []
    command.run(recurrent(folder, cut, *more, paintings=paintings), say=resumed.append)
    assert "step 4 of 8" in resumed[0]
    for name in paintings:
        assert (whole / f"{name}.pt").read_bytes() == (cut / f"{name}.pt").read_bytes()
    assert (whole / "red.pt").read_bytes() != (whole / "blue.pt").read_bytes()
    with pytest.raises(InputError, match="recurrent was True, now None"):
        command.run(arguments(folder, cut, *more, paintings=paintings))


def test_a_frame_model_is_no_recurrent_one(folder: Path, tmp_path: Path) -> None:
    """States of frame models do not know the word: those saved before it are continued."""
    command.run(arguments(folder, tmp_path / "x.pt", "--steps", "1"))
    assert "recurrent" not in torch.load(tmp_path / "x.pt.training" / "state.pt")["identity"]
    assert load_style(str(tmp_path / "x.pt")).kind == "frame"
    with pytest.raises(InputError, match="recurrent was None, now True"):
        command.run(recurrent(folder, tmp_path / "x.pt", "--steps", "2"))


def sampler(
    folder: Path, stability_start: float = 0.0, accumulate: int = 1, world: World = World()
) -> SequenceSampler:
    settings = TrainingSettings(
        arch=ARCH,
        size=32,
        steps=60,
        batch=2,
        accumulate=accumulate,
        stability_start=stability_start,
        recurrent=True,
    )
    pictures = Sampler(
        settings, find_photos(str(folder / "photos"), 32), None, 1, torch.device("cpu"), world
    )
    return SequenceSampler(pictures, None)


def test_half_of_the_samples_have_a_past_and_it_grows(folder: Path) -> None:
    samples = [sampler(folder).sample(step, 0) for step in range(60)]
    lengths = [len(sample.earlier) for sample in samples]
    assert 15 < lengths.count(0) < 45
    for start, stop, count in ((0, 34, 1), (34, 40, 2), (40, 60, 4)):
        assert set(lengths[start:stop]) <= {0, count} and count in lengths[start:stop]
    for sample in samples:
        assert len(sample.flows) == len(sample.masks) == len(sample.earlier)
        for before, flow, mask in zip(sample.earlier, sample.flows, sample.masks, strict=True):
            assert before.shape == sample.images.shape == (2, 3, 32, 32)
            assert flow.shape == (2, 32, 32, 2)
            assert mask.shape == (2, 32, 32) and set(mask.unique().tolist()) <= {0.0, 1.0}
    late = sampler(folder, stability_start=0.5)
    assert all(not late.sample(step, 0).earlier for step in range(30))
    assert any(late.sample(step, 0).earlier for step in range(30, 60))


def test_two_ranks_draw_what_one_rank_accumulates(folder: Path) -> None:
    alone = sampler(folder, accumulate=2)
    pair = [sampler(folder, world=World(rank, 2)) for rank in range(2)]
    drawn = [
        (alone.sample(step, rank), pair[rank].sample(step, 0))
        for step in range(50, 54)
        for rank in range(2)
    ]
    for one, two in drawn:
        assert torch.equal(one.images, two.images) and one.jitter == two.jitter
        assert len(one.flows) == len(two.flows)
        assert all(torch.equal(*flows) for flows in zip(one.flows, two.flows, strict=True))
    assert any(one.flows for one, _ in drawn)


def test_the_loss_is_that_of_the_last_frame_against_its_past(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first frames' painting is not trained: their gradient would be twice as much work."""
    monkeypatch.setattr(sequence_sampling, "FIRST_FRAME_SHARE", 0.0)
    pasts: list[Past | None] = []
    painted: list[torch.Tensor] = []
    temporal: list[float] = []
    make_past, paint = recurrent_trainer.past_of, RecurrentBank.forward
    terms = recurrent_trainer.RecurrentTrainer._terms

    def keep_past(bank: StyleBank, sample: SequenceSample) -> Past | None:
        pasts.append(make_past(bank, sample))
        return pasts[-1]

    def keep_painted(bank: RecurrentBank, *inputs: Any) -> torch.Tensor:
        painted.append(paint(bank, *inputs))
        return painted[-1]

    def keep_terms(
        trainer: recurrent_trainer.RecurrentTrainer, sample: Sample
    ) -> dict[str, torch.Tensor]:
        found = terms(trainer, sample)
        temporal.append(found["temporal"].item())
        return found

    monkeypatch.setattr(recurrent_trainer, "past_of", keep_past)
    monkeypatch.setattr(RecurrentBank, "forward", keep_painted)
    monkeypatch.setattr(recurrent_trainer.RecurrentTrainer, "_terms", keep_terms)
    command.run(
        recurrent(
            folder, tmp_path / "x.pt", "--steps", "1", "--accumulate", "1", "--stability-start", "0"
        )
    )
    past = pasts[0]
    assert past is not None
    first, last = painted[:2]
    assert not first.requires_grad and last.requires_grad
    assert not past.warped.requires_grad
    assert temporal == [masked_difference(last, past.warped, past.mask).item()]
    assert temporal[0] > 0


@pytest.mark.parametrize(
    "more, reason",
    [
        (("--temporal-weight", "0"), "--temporal-weight 0"),
        (("--stability-start", "1"), "--stability-start 1"),
        (("--video-data", "{root}/photos"), "no videos there"),
    ],
)
def test_bad_input_is_named(
    folder: Path, tmp_path: Path, more: tuple[str, str], reason: str
) -> None:
    filled = [text.format(root=folder) for text in more]
    with pytest.raises(InputError, match=reason) as caught:
        command.run(recurrent(folder, tmp_path / "x.pt", "--steps", "1", *filled))
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.mpi
def test_two_ranks_train_a_model_to_repaint_with(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    style = tmp_path / "mine.pt"
    finished = run_program(
        ["-m", "fastvid"],
        [
            "train",
            "--recurrent",
            "--style",
            folder / "red.png",
            "--data",
            folder / "photos",
            "--loss-network",
            folder / "loss.npz",
            "-o",
            style,
            "--arch",
            ARCH,
            "--size",
            "32",
            "--device",
            "cpu",
            "--threads",
            "1",
            "--steps",
            "3",
            "--stability-start",
            "0",
        ],
        ranks=2,
    )
    assert finished.status == 0, finished.stderr
    capfd.readouterr()
    assert main(["styles", str(style)]) == 0 and "recurrent" in capfd.readouterr().out
    images = job_clips.uncut_scenes()[:9]
    film = job_clips.write_clip(tmp_path / "in.mkv", images, job_clips.uneven_times(9))
    words = [film, "-o", tmp_path / "out.mkv", "--style", style, "--threads", "1"]
    assert main([str(word) for word in words]) == 0
    assert len(job_clips.decoded_frames(tmp_path / "out.mkv")) == 9
