"""Parts of the picture in their own ways: which looks are painted, how steady they are."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.evaluate.metrics import Mean, temporal_rmse
from fastvid.job.identity import picture_settings
from fastvid.job.options import StylizeOptions
from fastvid.regions.compose import compose, dampened, same_look
from fastvid.regions.settings import RegionSettings
from fastvid.regions.weights import feathered
from fastvid.stages.regional import RegionalRepaint
from fastvid.stages.settings import PictureSettings
from fastvid.stages.temporal import DEFAULT_STRENGTH, plan_step, trust_gate
from fastvid.style.loading import load_model, load_style
from fastvid.style.model import PendingFrames, StyleModel
from support import job_clips
from support.mask_files import grey_mask, settled

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def models() -> list[StyleModel]:
    return [load_model(job_clips.style_bytes(seed), name) for seed, name in enumerate(NAMES, 5)]


def with_regions(*regions: RegionSettings, **words: Any) -> PictureSettings:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), **words)
    return picture_settings(options, threads=1, regions=regions)


def framed(number: int, *masks: np.ndarray) -> np.ndarray:
    return np.dstack([job_clips.scene(7, number), *masks])


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that paint, as they are called."""
    calls: list[str] = []
    begin = StyleModel.begin

    def counted(self: StyleModel, images: Sequence[np.ndarray], batch_size: int) -> PendingFrames:
        calls.append(self.name)
        return begin(self, images, batch_size)

    monkeypatch.setattr(StyleModel, "begin", counted)
    return calls


def test_what_shows_nowhere_is_not_painted(
    models: list[StyleModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count_calls(monkeypatch)
    region = settled(sha256=models[0].sha256)
    white, black = np.full((48, 64), 255, np.uint8), np.zeros((48, 64), np.uint8)
    over_film = RegionalRepaint([None], models[:1], with_regions(region))
    assert np.array_equal(over_film.paint(framed(0, black))[0], job_clips.scene(7, 0))
    assert calls == []
    assert np.array_equal(
        over_film.paint(framed(1, white))[0], models[0].paint([job_clips.scene(7, 1)])[0]
    )
    assert calls == ["one", "one"]
    calls.clear()
    # One look in two regions and in a ground is painted once, for all outputs.
    shared = RegionalRepaint(
        [models[0], models[1]],
        models[:1],
        with_regions(region, settled(sha256=region.style_sha256)),
    )
    shared.paint(framed(2, grey_mask(), grey_mask()[:, ::-1]))
    assert sorted(calls) == ["one", "two"]


@pytest.mark.parametrize("batch_size", [2, 3])
def test_batches_are_painted_as_single_frames_are(
    models: list[StyleModel], batch_size: int
) -> None:
    """Also where a look shows in some of the frames only."""
    regions = [settled(sha256=models[1].sha256, strength=0.4), settled(feather=2.0)]
    settings = with_regions(*regions, keep_colors=True)
    masks = [np.roll(grey_mask(), 6 * shift, axis=1) for shift in range(batch_size)]
    masks[1] = np.zeros_like(masks[1])
    frames = [framed(i, mask, mask[::-1]) for i, mask in enumerate(masks)]
    batches = RegionalRepaint([models[0], None], models, settings, batch_size=batch_size)
    pending = batches.begin_batch(frames)
    singles = RegionalRepaint([models[0], None], models, settings)
    images = pending.images()
    assert pending.ready()
    for frame, image in zip(frames, images, strict=True):
        assert image.shape == (2, 48, 64, 3)
        assert np.array_equal(image, singles.paint(frame))


def test_strength_and_colours_are_those_of_the_region(models: list[StyleModel]) -> None:
    image, white = job_clips.scene(7, 0), np.full((48, 64), 255, np.uint8)
    region = settled(sha256=models[0].sha256, strength=0.5)
    stages = RegionalRepaint([None], models[:1], with_regions(region, keep_colors=True))
    (painted,) = models[0].paint([image])
    expected = np.rint(0.5 * painted.astype(np.float32) + 0.5 * image)
    assert np.array_equal(stages.paint(framed(0, white))[0], expected)


_FRAMES = 8
# Where balloon, boat and pine are in the first frame.
_THINGS = ((82, 118), (172, 345), (187, 56))


def test_parts_are_as_steady_as_the_whole() -> None:
    """With exact masks and flow and an edge of 3 pixels: inside within 1.05 of the whole frame
    filtered, in the inner rim within 1.15 of the filtered frame with the film put over it last; the
    film untouched."""
    clip = SyntheticClip(480, 270, 96)
    model = load_style("starry_night")
    frames = [clip.frame(number) for number in range(_FRAMES)]
    owners = clip.owners(0)
    chosen = [owners[row, column] for row, column in _THINGS]
    masks = [
        feathered(np.where(np.isin(clip.owners(number), chosen), np.uint8(255), np.uint8(0)), 3.0)
        for number in range(_FRAMES)
    ]
    assert 0.01 < np.mean([mask.mean() / 255 for mask in masks]) < 0.3
    paintings = model.paint(frames)
    whole, parted = [paintings[0]], []
    parted.append(compose(frames[0], {0: whole[0]}, {0: masks[0]}))
    inside, rim = {"whole": Mean(), "parts": Mean()}, {"last": Mean(), "parts": Mean()}
    window = np.ones((9, 9), np.uint8)
    for number in range(1, _FRAMES):
        painted = paintings[number]
        backward, seen = clip.backward_flow(number), ~clip.occlusion(number)
        gate = trust_gate(frames[number], frames[number - 1], backward, seen, DEFAULT_STRENGTH)
        step = plan_step(backward, gate)
        now, before = {0: masks[number]}, {0: masks[number - 1]}
        factor = same_look(now, before, step.positions)
        damped = replace(step, gate=dampened(step.gate, factor))
        whole.append(step.apply(painted, whole[-1]))
        parted.append(damped.apply(compose(frames[number], {0: painted}, now), parted[-1]))
        film = masks[number] == 0
        assert np.array_equal(parted[-1][film], frames[number][film])
        if number < 4:
            continue
        core = cv2.erode(masks[number], window) > 127
        edge = (masks[number] > 127) & ~core
        last = [compose(frames[at], {0: whole[at]}, {0: masks[at]}) for at in (number - 1, number)]
        for found, pair, where in (
            (inside["whole"], whole[-2:], core),
            (inside["parts"], parted[-2:], core),
            (rim["last"], last, edge),
            (rim["parts"], parted[-2:], edge),
        ):
            found.add(temporal_rmse(pair[1], pair[0], backward, seen & where))
    assert inside["parts"].value is not None and inside["whole"].value is not None
    assert rim["parts"].value is not None and rim["last"].value is not None
    assert inside["parts"].value <= 1.05 * inside["whole"].value
    assert rim["parts"].value <= 1.15 * rim["last"].value
