"""Sequences of known motion, the schedule of the past, and what a recurrent network is shown."""

import numpy as np
import pytest
import torch

from fastvid.errors import InputError
from fastvid.motion.occlusion import network_mask
from fastvid.motion.warp import warp
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.loading import load_recurrent
from fastvid.style.model import set_threads
from fastvid.training import pairs, sequences
from fastvid.training.recurrent_bank import Past, RecurrentBank
from fastvid.training.recurrent_trainer import past_of
from fastvid.training.sampling import as_images
from fastvid.training.sequence_sampling import SequenceSample, following_frames
from fastvid.training.video_sequences import load_video_sequences
from support.panning_clip import panning_clip

SIZE = 48
LENGTH = 5
ARCH = "c3s1-4,d8,R8,U2,c3s1-3"


def ramp(slope_x: int, slope_y: int) -> np.ndarray:
    """A photograph that a bilinear sample gives back exactly, of the size that is cut from it."""
    side = int(SIZE * sequences.CANVAS_SCALE)
    rows, columns = np.mgrid[:side, :side]
    level = 100 + slope_x * columns + slope_y * rows
    return np.repeat(level.astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("seed", range(8))
def test_every_frame_sampled_along_the_flow_is_the_next(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow motion, so that nothing is seen from beyond the photograph, where it is mirrored."""
    monkeypatch.setattr(pairs, "MAX_SHIFT_PX", 1.0)
    monkeypatch.setattr(pairs, "MAX_ZOOM", 0.01)
    monkeypatch.setattr(pairs, "MAX_TURN_DEGREES", 0.5)
    clip = sequences.moving_sequence(
        ramp(1, 1), ramp(-1, 1), SIZE, LENGTH, np.random.default_rng(seed)
    )
    assert len(clip.frames) == LENGTH and len(clip.backward_flows) == LENGTH - 1
    for before, after, flow, visible in zip(
        clip.frames[:-1], clip.frames[1:], clip.backward_flows, clip.visible, strict=True
    ):
        assert visible.mean() > 0.5
        apart = np.abs(warp(before, flow) - after).max(axis=2)
        assert apart[visible].max() < 0.1


def test_layers_hide_and_uncover_in_every_frame() -> None:
    noise, other = (
        np.random.default_rng(seed).integers(0, 256, (60, 60, 3), np.uint8) for seed in (1, 2)
    )
    hidden, wrong = np.zeros(LENGTH - 1), np.zeros(LENGTH - 1)
    for seed in range(8):
        clip = sequences.moving_sequence(
            noise,
            other,
            SIZE,
            LENGTH,
            np.random.default_rng(seed),
            layer_share=1.0,
            still_share=0.0,
        )
        for number in range(LENGTH - 1):
            flow = clip.backward_flows[number]
            covered = pairs.within(flow) & ~clip.visible[number]
            apart = np.abs(warp(clip.frames[number], flow) - clip.frames[number + 1]).max(axis=2)
            hidden[number] += covered.sum()
            wrong[number] += (apart[covered] > 30).sum()
            assert not (clip.visible[number] & ~pairs.within(flow)).any()
    assert (hidden > 50).all() and (wrong > 0.5 * hidden).all()


def test_noise_and_exposure_stay_within_their_ranges() -> None:
    clip = sequences.make_sequence(ramp(1, 0), ramp(0, 1), SIZE, 3, np.random.default_rng(4))
    again = sequences.make_sequence(ramp(1, 0), ramp(0, 1), SIZE, 3, np.random.default_rng(4))
    for one, two in zip((*clip.frames, clip.content), (*again.frames, again.content), strict=True):
        assert one.dtype == np.float32 and one.shape == (SIZE, SIZE, 3)
        assert one.min() >= 0 and one.max() <= 255
        assert np.array_equal(one, two)
    assert np.abs(clip.frames[-1] - clip.content).std() < 1.2 * pairs.MAX_NOISE_LEVELS


@pytest.mark.parametrize(
    "step, count",
    [(0, 1), (49_999, 1), (50_000, 2), (59_999, 2), (60_000, 4), (89_999, 4)],
)
def test_sequences_grow_as_in_the_original(step: int, count: int) -> None:
    assert following_frames(step, 90_000) == count


@pytest.fixture(scope="module")
def bank() -> RecurrentBank:
    set_threads(1)
    torch.manual_seed(0)
    bank = RecurrentBank(ARCH, 2)
    for parameter in bank.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return bank


def test_an_exported_model_is_shown_what_the_bank_is_shown(bank: RecurrentBank) -> None:
    """Where margins do not reach, one step of the model that runs is one step of training."""
    random = np.random.default_rng(0)
    frame, warped = (random.integers(0, 256, (96, 96, 3), np.uint8) for _ in range(2))
    mask = network_mask(random.random((96, 96)) < 0.995)
    assert 0.2 < mask.mean() < 0.9
    data = checkpoint_bytes(ARCH, bank.exported(1), "t", variant=bank.variant)
    model = load_recurrent(data, "t")
    past = Past(bgr(warped), torch.from_numpy(mask)[None])
    for expected, found in (
        (model.step(frame, warped, mask), bank(bgr(frame), 1, past)),
        (model.step(frame, None, None), bank(bgr(frame), 1)),
    ):
        levels = found.detach().round().clamp(0, 255)[0].permute(1, 2, 0).numpy()[..., ::-1]
        # Instance norm sees the margins everywhere: a level or two.
        assert np.abs(levels - expected)[8:-8, 8:-8].mean() < 1.5
    assert not torch.equal(bank(bgr(frame), 1, past), bank(bgr(frame), 1))


def test_the_past_is_painted_frame_by_frame(bank: RecurrentBank) -> None:
    clip = sequences.make_sequence(ramp(1, 0), ramp(0, 1), SIZE, 3, np.random.default_rng(4))
    images = [as_images([frame], torch.device("cpu")) for frame in clip.frames]
    flows = tuple(torch.from_numpy(flow)[None] for flow in clip.backward_flows)
    masks = tuple(torch.from_numpy(network_mask(seen))[None] for seen in clip.visible)
    sample = SequenceSample(
        1, (0, 0), images[2], images[2], earlier=tuple(images[:2]), flows=flows, masks=masks
    )
    with torch.no_grad():
        past = past_of(bank, sample)
        assert past is not None
        first = picture(bank(images[0], 1))
        moved = warp(first, clip.backward_flows[0])
        second = picture(bank(images[1], 1, Past(bgr(moved), masks[0])))
    expected = bgr(warp(second, clip.backward_flows[1]))
    assert torch.equal(past.mask, masks[1])
    # A tie may be rounded either way, and the second painting passes that on.
    assert (past.warped - expected).abs().mean() < 0.1
    assert past_of(bank, SequenceSample(1, (0, 0), images[2], images[2])) is None


def bgr(image: np.ndarray) -> torch.Tensor:
    return as_images([image[..., ::-1]], torch.device("cpu"))


def picture(images: torch.Tensor) -> np.ndarray:
    levels = images.round().clamp(0, 255)[0].permute(1, 2, 0).numpy()
    return np.ascontiguousarray(levels[..., ::-1]).astype(np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return panning_clip(tmp_path_factory.mktemp("video") / "pan.mkv", frames=40, cut=29)


def test_parts_of_a_video_follow_its_motion(clip: str) -> None:
    videos = load_video_sequences([clip], 64, sequence_every=9)
    # Sequences end at frames 4, 13, 22, 31 and 40 that is not there; the cut is in that at 31.
    assert len(videos.sequences) == 3
    for length in (2, 3, LENGTH):
        part = videos.crop(64, length, np.random.default_rng(length))
        assert len(part.frames) == length and part.frames[0].shape == (64, 64, 3)
        for before, after, flow, visible in zip(
            part.frames, part.frames[1:], part.backward_flows, part.visible, strict=False
        ):
            assert visible.mean() > 0.6
            moved = np.abs(warp(before, flow) - after)[visible].mean()
            assert moved < 0.4 * np.abs(before - after)[visible].mean()


def test_a_video_without_a_scene_of_five_frames_is_named(clip: str) -> None:
    with pytest.raises(InputError, match=r"pan.mkv: no 5 successive frames"):
        load_video_sequences([clip], 64, min_visible=1.1)
