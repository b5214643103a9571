"""Training pairs from real videos: neighbours of one shot, with flow that leads from one to the
other."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fastvid.errors import InputError
from fastvid.style.losses import warp_images
from fastvid.training import video_pairs
from fastvid.training.sampling import as_images
from support.panning_clip import panning_clip

SIZE = 64


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return panning_clip(tmp_path_factory.mktemp("video") / "pan.mkv", frames=25, cut=11)


def test_pairs_follow_the_pan_and_skip_the_cut(clip: str) -> None:
    pairs = video_pairs.load_video_pairs([clip], SIZE, pair_every=5).pairs
    # Pairs end at frames 1, 6, 11, 16, 21; the one at frame 11 spans the cut.
    assert len(pairs) == 4
    for pair in pairs:
        assert pair.first.shape == (80, 106, 3) and pair.first.dtype == np.uint8
        inner = pair.backward_flow[20:-20, 20:-20].reshape(-1, 2)
        # 128 columns shrunk to 106; the texture moves left and up, its past is right and down.
        assert np.abs(np.median(inner, axis=0) - np.array([2, 1]) * 106 / 128).max() < 0.25


def test_a_crop_of_a_pair_is_a_pair(clip: str) -> None:
    pairs = video_pairs.load_video_pairs([clip], SIZE)
    pair = pairs.crop(SIZE, np.random.default_rng(2))
    assert pair.first.shape == (SIZE, SIZE, 3) and pair.first.dtype == np.float32
    first = as_images([pair.first], torch.device("cpu"))
    warped = warp_images(first, torch.from_numpy(pair.backward_flow[None]))[0]
    difference = np.abs(warped.permute(1, 2, 0).numpy() - pair.second)[pair.visible]
    still = np.abs(pair.first - pair.second)[pair.visible]
    assert pair.visible.mean() > 0.7
    assert difference.mean() < 0.35 * still.mean()


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no videos there"):
        video_pairs.find_videos(str(tmp_path))
    (tmp_path / "x.mp4").write_bytes(b"no video")
    (found,) = video_pairs.find_videos(str(tmp_path))
    with pytest.raises(InputError, match=r"x.mp4"):
        video_pairs.load_video_pairs([found], SIZE)
    with pytest.raises(InputError, match="nowhere"):
        video_pairs.find_videos(str(tmp_path / "nowhere"))
