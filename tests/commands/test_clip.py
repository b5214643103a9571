"""The generated clip: its motion is exact, its occlusions are true, its file is a video."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fastvid.commands.clip import bay, flowers, village
from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.clip.layers import Layer, exact_flow, render, unseen
from fastvid.commands.clip.motions import translation
from fastvid.commands.clip.writing import write_clip
from fastvid.errors import InputError
from fastvid.motion.warp import warp


def square_layer(color: int, x: float, step: float) -> Layer:
    """An opaque square of 0.5 x 0.5 frame heights that moves by `step` heights a second."""
    texture = np.full((8, 8, 4), 255, np.uint8)
    texture[..., :3] = color
    unit = 1 / 16
    placement = np.array([[unit, 0, x + unit / 2], [0, unit, 0.25 + unit / 2], [0, 0, 1]])
    return Layer(texture, placement, lambda t: translation(step * t, 0.0))


def test_two_squares_have_the_flow_and_occlusion_that_one_can_count() -> None:
    """On a frame of 32x16: the back one stands at columns 8..15, the front one goes right by 2."""
    layers = [square_layer(90, 0.5, 0.0), square_layer(200, 0.25, 0.125)]
    _, before = render(layers, 0.0, 32, 16)
    image, now = render(layers, 1.0, 32, 16)
    expected = np.full((16, 32), -1)
    expected[4:12, 8:16] = 0
    expected[4:12, 6:14] = 1
    assert np.array_equal(now, expected)
    assert (image[4:12, 6:14] == 200).all() and (image[4:12, 14:16] == 90).all()
    backward = exact_flow(layers, now, 1.0, 0.0)
    assert np.allclose(backward[now == 1], (-2, 0), atol=1e-5)
    assert np.allclose(backward[now == 0], (0, 0), atol=1e-5)
    # The back square shows at columns 14, 15 now and showed at 12..15: nothing of it is new.
    assert not unseen(now, backward, before)[now >= 0].any()
    forward = exact_flow(layers, before, 0.0, 1.0)
    hidden = unseen(before, forward, now)
    expected = np.zeros((16, 32), bool)
    expected[4:12, 12:14] = True
    assert np.array_equal(hidden & (before >= 0), expected)


@pytest.fixture(scope="module")
def clip() -> SyntheticClip:
    return SyntheticClip(320, 180, 96)


@pytest.mark.parametrize("index", [1, 20, 33, 50, 65, 90])
def test_warping_the_frame_before_gives_the_frame(clip: SyntheticClip, index: int) -> None:
    frame, before = clip.frame(index).astype(np.float32), clip.frame(index - 1).astype(np.float32)
    flow, hidden = clip.backward_flow(index), clip.occlusion(index)
    assert flow.dtype == np.float32 and flow.shape == (180, 320, 2)
    assert hidden.dtype == bool and 0.001 < hidden.mean() < 0.2
    # Rims mix two motions: they are left out here, with a pixel for the interpolation.
    away = cv2.dilate(hidden.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    error = np.abs(warp(before, flow) - frame).mean(axis=2)
    still = np.abs(before - frame).mean(axis=2)
    assert np.median(error[away]) < 2.5
    assert error[away].mean() < 0.5 * still[away].mean()
    assert error[hidden].mean() > 3 * error[away].mean()


@pytest.mark.parametrize("index", [5, 45, 80])
def test_forward_and_backward_flow_are_inverse(clip: SyntheticClip, index: int) -> None:
    backward, forward = clip.backward_flow(index), clip.forward_flow(index - 1)
    seen = ~clip.occlusion(index)
    back = warp(forward, backward)
    gap = np.hypot(*(backward + back)[seen].T)
    # Where the pixels around the target belong to two layers their flows get mixed.
    assert np.median(gap) < 1e-3 and np.percentile(gap, 85) < 0.1


def test_things_really_move(clip: SyntheticClip) -> None:
    speeds = [np.hypot(*clip.backward_flow(i).reshape(-1, 2).T) for i in (10, 40, 70)]
    assert all(0.4 < speed.mean() < 5 for speed in speeds)
    assert max(speed.max() for speed in speeds) > 4


def test_frames_do_not_depend_on_the_order_of_asking() -> None:
    one, other = SyntheticClip(64, 36, 12, seed=5), SyntheticClip(64, 36, 12, seed=5)
    frames = [one.frame(index) for index in range(12)]
    for index in (11, 2, 7, 0, 3):
        assert np.array_equal(other.frame(index), frames[index])
    assert np.array_equal(other.occlusion(2), one.occlusion(2))
    assert not np.array_equal(SyntheticClip(64, 36, 12, seed=6).frame(0), frames[0])


def test_cuts_are_where_the_picture_changes(clip: SyntheticClip) -> None:
    assert clip.cuts == (32, 64)
    for cut in clip.cuts:
        across = np.abs(clip.frame(cut).astype(int) - clip.frame(cut - 1)).mean()
        within = np.abs(clip.frame(cut + 1).astype(int) - clip.frame(cut)).mean()
        assert across > 3 * within
        with pytest.raises(ValueError, match="one shot"):
            clip.backward_flow(cut)
        with pytest.raises(ValueError, match="one shot"):
            clip.forward_flow(cut - 1)


@pytest.mark.parametrize("count, cuts", [(1, ()), (2, (1,)), (3, (1, 2)), (10, (3, 6))])
def test_short_clips_have_what_shots_they_can(
    count: int, cuts: tuple[()] | tuple[int, int] | tuple[int]
) -> None:
    clip = SyntheticClip(32, 18, count)
    assert clip.cuts == cuts
    assert clip.frame(count - 1).shape == (18, 32, 3)
    with pytest.raises(IndexError):
        clip.frame(count)


@pytest.mark.parametrize("build", [bay.build, village.build, flowers.build])
@pytest.mark.parametrize("width, height", [(64, 36), (36, 64), (120, 40)])
def test_no_camera_move_bares_an_edge(
    build: Callable[..., list[Layer]], width: int, height: int
) -> None:
    layers = build(width / height, float(height), np.random.default_rng(1))
    for time_s in np.arange(0.0, 40.0, 0.5):
        assert render(layers, time_s, width, height)[1].min() >= 0


@pytest.mark.parametrize("arguments", [(8, 100), (100, 9000), (64, 64, 0)])
def test_sizes_out_of_range_are_refused(arguments: tuple[int, int, int] | tuple[int, int]) -> None:
    with pytest.raises(InputError):
        SyntheticClip(*arguments)


def test_the_sound_is_as_long_as_the_film_and_does_not_clip() -> None:
    sound = SyntheticClip(32, 18, 36).soundtrack(8000)
    assert sound.shape == (12000, 2) and sound.dtype == np.float32
    assert 0.3 < np.abs(sound).max() <= 0.5
    assert np.abs(sound[0]).max() == 0 and np.abs(sound[-1]).max() < 1e-6


@pytest.mark.parametrize("width, height", [(64, 36), (51, 35)])
def test_the_file_holds_every_frame_and_the_sound(tmp_path: Path, width: int, height: int) -> None:
    clip = SyntheticClip(width, height, 9)
    write_clip(tmp_path / "clip.mp4", clip)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].average_rate == 24
        frames = [
            frame.to_ndarray(format="rgb24", src_colorspace="ITU709")
            for frame in container.decode(video=0)
        ]
    assert len(frames) == 9
    for index in (0, 4, 8):
        assert np.abs(frames[index].astype(int) - clip.frame(index)).mean() < 6
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert abs(samples - 9 / 24 * 48000) <= 2048
