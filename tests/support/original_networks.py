"""The original programs' networks, layer by layer in torch.nn.functional: plain oracles.

Each takes and gives (1, C, H, W) float32 and a dict of weights with the keys of `fastvid`'s own
network of the same layers.
"""

import numpy as np
import torch
import torch.nn.functional as F

from fastvid.style.network import build_network
from fastvid.style.variant import Variant

MEAN = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)

# Fast Artistic Videos with fewer channels and blocks: 2 blocks on a fourth of the size crop 16.
FAV_ARCH = "c9s1-4,d6,d8,R8,R8,U2,c3s1-6,U2,c9s1-3"
FAV_START_PX = 16
FAV_VIDEO = Variant(
    in_channels=7,
    borders="as-trained",
    start_padding=FAV_START_PX,
    convolution="zero",
    residual="crop",
)

# TransformerNet of the PyTorch examples with fewer channels and blocks.
EXAMPLES_ARCH = "c9s1-4,c3s2-6,c3s2-8,R8,R8,U2,c3s1-6,U2,c3s1-4,c9s1-3"


def random_weights(arch: str, variant: Variant, seed: int = 3) -> dict[str, torch.Tensor]:
    """Weights of a network, its norms far from 1 and 0 so that leaving one out shows."""
    torch.manual_seed(seed)
    state = build_network(arch, variant=variant).state_dict()
    return {
        key: value + torch.rand_like(value) if value.ndim == 1 else value
        for key, value in state.items()
    }


def fav_network(x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """FAV_ARCH with `-padding_type reflect-start`: one reflection, zeros, blocks that crop."""
    x = F.pad(x, (FAV_START_PX,) * 4, mode="reflect")
    x = F.relu(_norm(_conv(x, w, "0", padding=4), w, "1"))
    x = F.relu(_norm(_conv(x, w, "3", stride=2, padding=1), w, "4"))
    x = F.relu(_norm(_conv(x, w, "6", stride=2, padding=1), w, "7"))
    for block in ("9", "10"):
        y = F.relu(_norm(_conv(x, w, f"{block}.body.0"), w, f"{block}.body.1"))
        y = _norm(_conv(y, w, f"{block}.body.3"), w, f"{block}.body.4")
        x = y + x[:, :, 2:-2, 2:-2]
    x = F.relu(_norm(F.interpolate(x, scale_factor=2, mode="nearest"), w, "12"))
    x = F.relu(_norm(_conv(x, w, "14", padding=1), w, "15"))
    x = F.relu(_norm(F.interpolate(x, scale_factor=2, mode="nearest"), w, "18"))
    return 150 * torch.tanh(_conv(x, w, "20", padding=4))


def examples_network(x: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """EXAMPLES_ARCH: everything reflected, no norm behind an upsampling, no tanh; RGB 0..255."""
    x = F.relu(_norm(_reflected(x, w, "0"), w, "1"))
    x = F.relu(_norm(_reflected(x, w, "3", stride=2), w, "4"))
    x = F.relu(_norm(_reflected(x, w, "6", stride=2), w, "7"))
    for block in ("9", "10"):
        y = F.relu(_norm(_reflected(x, w, f"{block}.body.0"), w, f"{block}.body.1"))
        x = _norm(_reflected(y, w, f"{block}.body.3"), w, f"{block}.body.4") + x
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.relu(_norm(_reflected(x, w, "12"), w, "13"))
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    x = F.relu(_norm(_reflected(x, w, "16"), w, "17"))
    return _reflected(x, w, "19")


def centred(frame: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 RGB to (1, 3, H, W) BGR minus its mean."""
    bgr = torch.tensor(frame[:, :, ::-1].copy(), dtype=torch.float32).permute(2, 0, 1)[None]
    return bgr - MEAN


def seven_channels() -> tuple[np.ndarray, np.ndarray, np.ndarray, torch.Tensor]:
    """A frame and a warped result (44, 60, 3) uint8, a mask (44, 60) float32, and the input of a
    video model that is made of the three, (1, 7, 44, 60)."""
    rng = np.random.default_rng(5)
    frame, warped = rng.integers(0, 256, (2, 44, 60, 3), np.uint8)
    mask = (rng.random((44, 60)) < 0.6).astype(np.float32)
    shown = torch.from_numpy(mask)[None, None]
    return frame, warped, mask, torch.cat([centred(frame), centred(warped) * shown, shown], dim=1)


def frame_of(output: torch.Tensor) -> np.ndarray:
    """The inverse of `centred`, rounded and clipped."""
    levels = (output + MEAN)[0].permute(1, 2, 0).numpy()
    return np.asarray(np.clip(np.rint(levels), 0, 255)[:, :, ::-1].astype(np.uint8))


def assert_same_picture(painted: np.ndarray, expected: np.ndarray) -> None:
    """Equal up to the order of sums: a level where a value lies on the edge."""
    assert painted.shape == expected.shape and painted.dtype == expected.dtype == np.uint8
    assert expected.std() > 5
    assert np.abs(painted.astype(int) - expected).max() <= 1
    assert (painted == expected).mean() > 0.99


def _conv(
    x: torch.Tensor, w: dict[str, torch.Tensor], key: str, stride: int = 1, padding: int = 0
) -> torch.Tensor:
    return F.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"], stride=stride, padding=padding)


def _reflected(
    x: torch.Tensor, w: dict[str, torch.Tensor], key: str, stride: int = 1
) -> torch.Tensor:
    border = w[f"{key}.weight"].shape[-1] // 2
    return _conv(F.pad(x, (border,) * 4, mode="reflect"), w, key, stride)


def _norm(x: torch.Tensor, w: dict[str, torch.Tensor], key: str) -> torch.Tensor:
    return F.instance_norm(x, weight=w[f"{key}.weight"], bias=w[f"{key}.bias"], eps=1e-5)
