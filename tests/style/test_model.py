"""Painting: any size, no border artefacts, the same bytes every time; finding styles by name."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastvid.errors import InputError
from fastvid.style.cards import bundled_styles, find_style
from fastvid.style.checkpoint import checkpoint_bytes, read_checkpoint
from fastvid.style.loading import load_frame_model, load_model, load_style, read_style
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.network import build_network

ARCH = "c5s1-4,d6,d8,R8,U2,c3s1-6,U2,c5s1-3"


@pytest.fixture(scope="module")
def model() -> StyleModel:
    set_threads(1)
    torch.manual_seed(5)
    return load_frame_model(checkpoint_bytes(ARCH, build_network(ARCH).state_dict(), "t"), "tiny")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def test_painting_equals_the_formula_step_by_step(model: StyleModel) -> None:
    """BGR minus mean in, tanh times scale plus mean out, nearest, clipped, margins cut off."""
    frame = noise(48, 64)
    data = checkpoint_bytes(ARCH, model_weights(), "t")
    w = read_checkpoint(data).weights
    mean = np.array([103.939, 116.779, 123.68])
    padded = np.pad(frame, ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    bgr = torch.tensor(padded[:, :, ::-1] - mean, dtype=torch.float32).permute(2, 0, 1)[None]
    out = plain_network(bgr, w)[0].permute(1, 2, 0).numpy() * 150.0 + mean
    expected = np.clip(np.rint(out), 0, 255)[8:-8, 8:-8, ::-1]
    painted = load_frame_model(data, "t").paint([frame])[0].astype(int)
    # The model orders its sums differently: one level where a value lies on the edge.
    assert np.abs(painted - expected).max() <= 1
    assert (painted == expected).mean() > 0.99


def conv(
    x: torch.Tensor, w: dict[str, torch.Tensor], key: str, mode: str, border: int, stride: int = 1
) -> torch.Tensor:
    x = F.pad(x, (border,) * 4, mode=mode)
    return F.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"], stride=stride)


def norm(x: torch.Tensor, w: dict[str, torch.Tensor], key: str) -> torch.Tensor:
    return F.instance_norm(x, weight=w[f"{key}.weight"], bias=w[f"{key}.bias"])


def plain_network(x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """ARCH written out; the `d` layers continue their input at the border when a model paints."""
    x = F.relu(norm(conv(x, w, "0", "reflect", 2), w, "1"))
    x = F.relu(norm(conv(x, w, "3", "replicate", 1, stride=2), w, "4"))
    x = F.relu(norm(conv(x, w, "6", "replicate", 1, stride=2), w, "7"))
    y = F.relu(norm(conv(x, w, "9.body.0", "reflect", 1), w, "9.body.1"))
    x = x + norm(conv(y, w, "9.body.3", "reflect", 1), w, "9.body.4")
    x = F.relu(norm(F.interpolate(x, scale_factor=2, mode="nearest"), w, "11"))
    x = F.relu(norm(conv(x, w, "13", "reflect", 1), w, "14"))
    x = F.relu(norm(F.interpolate(x, scale_factor=2, mode="nearest"), w, "17"))
    return torch.tanh(conv(x, w, "19", "reflect", 2))


def model_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return build_network(ARCH).state_dict()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (2, 3), (7, 131), (48, 64), (61, 83)])
def test_any_size_is_painted(model: StyleModel, size: tuple[int, int]) -> None:
    frame = noise(*size)
    before = frame.copy()
    (painted,) = model.paint([frame])
    assert painted.shape == frame.shape and painted.dtype == np.uint8
    assert painted.flags["C_CONTIGUOUS"] and np.array_equal(frame, before)


def test_bytes_depend_on_nothing_but_the_frame(model: StyleModel) -> None:
    frames = [noise(37, 52), noise(40, 40)]
    together = model.paint(frames)
    model.paint([noise(64, 64)])
    alone = [model.paint([frame])[0] for frame in reversed(frames)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))


def test_a_flat_frame_shows_no_border(model: StyleModel) -> None:
    """Mirrored margins keep a flat frame flat right to its edge."""
    (painted,) = model.paint([np.full((50, 70, 3), 90, np.uint8)])
    inner = painted[16:-16, 16:-16].reshape(-1, 3).astype(int)
    assert np.abs(painted.astype(int) - np.median(inner, axis=0)).max() <= 2


def test_frames_of_another_kind_are_a_mistake_of_the_caller(model: StyleModel) -> None:
    with pytest.raises(ValueError, match="uint8"):
        model.paint([np.zeros((8, 8, 3), np.float32)])
    assert model.paint([]) == []


def test_memory_grows_with_the_frame(model: StyleModel) -> None:
    small, large = model.memory_bytes(360, 640), model.memory_bytes(1080, 1920)
    assert 7 * small < large < 10 * small
    # At the least the input, the output and one feature map of 4 channels in float32.
    assert large > 1080 * 1920 * 4 * (3 + 4)


def test_bundled_styles_load_and_paint() -> None:
    cards = bundled_styles()
    assert cards[0].name == "starry_night"
    for card in cards:
        style = load_style(card.name)
        assert style.name == card.name and style.kind == "frame" and len(style.sha256) == 64
        assert card.title and card.painter and card.year and card.licence and card.training
        (painted,) = style.paint([noise(32, 48)])
        assert painted.std() > 5


def test_a_style_can_travel_as_bytes() -> None:
    file = read_style("starry_night")
    frame = noise(32, 32)
    here, there = load_style("starry_night"), load_model(file.data, file.name)
    assert there.name == "starry_night" and here.sha256 == there.sha256
    assert np.array_equal(here.paint([frame])[0], there.paint([frame])[0])


def test_a_path_is_a_style(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(checkpoint_bytes(ARCH, build_network(ARCH).state_dict(), "mine"))
    assert load_style(str(path)).name == "mine"


def test_unknown_names_get_the_list_and_a_suggestion() -> None:
    with pytest.raises(InputError, match=r"starry_night.*did you mean starry_night"):
        find_style("stary_nite")
    with pytest.raises(InputError, match="starry_night"):
        find_style("qqqq")
    with pytest.raises(InputError, match=r"nowhere.pt"):
        load_style("nowhere.pt")
