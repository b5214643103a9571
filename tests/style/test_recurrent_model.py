"""Recurrent models: one step is the original network on the original seven channels."""

import numpy as np
import pytest
import torch

from fastvid.errors import InputError
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.loading import load_frame_model, load_model, load_recurrent
from fastvid.style.model import set_threads
from fastvid.style.recurrent import RecurrentModel
from fastvid.style.variant import Variant
from support.original_networks import (
    FAV_ARCH,
    FAV_VIDEO,
    assert_same_picture,
    centred,
    fav_network,
    frame_of,
    random_weights,
)

WEIGHTS = random_weights(FAV_ARCH, FAV_VIDEO)


@pytest.fixture(scope="module")
def model() -> RecurrentModel:
    set_threads(1)
    return load_recurrent(checkpoint_bytes(FAV_ARCH, WEIGHTS, "t", variant=FAV_VIDEO), "tiny")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed + height * width)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(44, 60), (41, 59), (50, 43)])
def test_a_step_is_the_original_network(model: RecurrentModel, size: tuple[int, int]) -> None:
    """Odd sides come out longer and lose the surplus at the bottom and on the right."""
    frame, warped = noise(*size), noise(*size, seed=1)
    mask = (np.random.default_rng(2).random(size) < 0.6).astype(np.float32)
    shown = torch.from_numpy(mask)[None, None]
    seven = torch.cat([centred(frame), centred(warped) * shown, shown], dim=1)
    expected = frame_of(fav_network(seven, WEIGHTS)[:, :, : size[0], : size[1]])
    assert_same_picture(model.step(frame, warped, mask), expected)
    assert np.array_equal(model.step(frame, warped, mask > 0), model.step(frame, warped, mask))


def test_a_first_frame_has_neither_past_nor_mask(model: RecurrentModel) -> None:
    frame = noise(44, 60)
    seven = torch.cat([centred(frame), torch.zeros(1, 4, 44, 60)], dim=1)
    expected = frame_of(fav_network(seven, WEIGHTS))
    assert_same_picture(model.step(frame, None, None), expected)
    assert np.array_equal(model.paint([frame])[0], model.step(frame, None, None))


def test_where_the_mask_is_zero_the_past_does_not_count(model: RecurrentModel) -> None:
    frame, mask = noise(48, 48), np.ones((48, 48), np.float32)
    mask[10:30, 20:40] = 0
    one, other = noise(48, 48, seed=1), noise(48, 48, seed=1)
    other[10:30, 20:40] = 0
    assert np.array_equal(model.step(frame, one, mask), model.step(frame, other, mask))
    other[0, 0] ^= 255
    assert not np.array_equal(model.step(frame, one, mask), model.step(frame, other, mask))


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (17, 5), (41, 40)])
def test_any_size_is_painted(model: RecurrentModel, size: tuple[int, int]) -> None:
    frame = noise(*size)
    painted = model.step(frame, frame, np.ones(size, bool))
    assert painted.shape == frame.shape and painted.flags["C_CONTIGUOUS"]


def test_bytes_depend_on_nothing_but_the_step(model: RecurrentModel) -> None:
    frame, warped, mask = noise(44, 52), noise(44, 52, seed=1), np.ones((44, 52), np.float32)
    before = model.step(frame, warped, mask)
    model.step(noise(60, 44), None, None)
    assert np.array_equal(model.step(frame, warped, mask), before)


def test_sizes_that_differ_are_a_mistake_of_the_caller(model: RecurrentModel) -> None:
    frame = noise(44, 52)
    with pytest.raises(ValueError, match="one size"):
        model.step(frame, frame[1:], np.ones((44, 52), bool))
    with pytest.raises(ValueError, match="one size"):
        model.step(frame, frame, None)
    with pytest.raises(ValueError, match="uint8"):
        model.step(frame, frame.astype(np.float32), np.ones((44, 52), bool))


def test_a_model_is_what_its_channels_say(model: RecurrentModel) -> None:
    assert model.kind == "recurrent" and model.name == "tiny"
    plain = checkpoint_bytes("c3s1-3", random_weights("c3s1-3", Variant()), "t")
    assert load_model(plain, "t").kind == "frame"
    with pytest.raises(InputError, match=r"wrong.pt.*single frames"):
        load_recurrent(plain, "wrong.pt")
    seven = checkpoint_bytes(FAV_ARCH, WEIGHTS, "t", variant=FAV_VIDEO)
    with pytest.raises(InputError, match=r"wrong.pt.*recurrent"):
        load_frame_model(seven, "wrong.pt")


def test_mirrored_borders_serve_recurrent_models_too() -> None:
    variant = Variant(in_channels=7)
    data = checkpoint_bytes(FAV_ARCH, random_weights(FAV_ARCH, variant), "t", variant=variant)
    frame = noise(37, 51)
    painted = load_recurrent(data, "t").step(frame, frame, np.ones((37, 51), bool))
    assert painted.shape == frame.shape


def test_memory_grows_with_the_frame(model: RecurrentModel) -> None:
    small, large = model.memory_bytes(360, 640), model.memory_bytes(1080, 1920)
    # The start padding weighs more on small frames. The least: seven channels in, four out.
    assert 6 * small < large < 9 * small
    assert large > 1080 * 1920 * 4 * (7 + 4)
