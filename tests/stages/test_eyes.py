"""Two eyes in one frame: the second one has the strokes of the first."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastvid.commands.clip.sphere import SphereClip
from fastvid.job.identity import check_same_run, picture_settings, run_identity
from fastvid.job.options import StylizeOptions
from fastvid.motion.source import EstimatedMotion
from fastvid.sphere.painting import painter_of
from fastvid.sphere.projection import Sphere
from fastvid.stages.regional import RegionalRepaint
from fastvid.stages.repaint import Repaint
from fastvid.stages.settings import PictureSettings, eye_to_eye
from fastvid.style.loading import load_model, load_style
from fastvid.style.model import StyleModel
from support import job_clips
from support.mask_files import settled

SHIFT = 3
STEREO = Sphere("equirect", "top-bottom")


@pytest.fixture(scope="module")
def model() -> StyleModel:
    return load_style("starry_night")


def film_frame(sphere: Sphere = STEREO) -> np.ndarray:
    """Two eyes, of which the second sees everything some pixels further to the right."""
    first = SphereClip(256, 128, frame_count=1).frame(0)
    return sphere.joined([first, np.roll(first, SHIFT, axis=1)])


def settings_of(sphere: Sphere | None, **words: Any) -> PictureSettings:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), **words)
    return picture_settings(options, threads=1, sphere=sphere)


def strokes_apart(painted: np.ndarray, sphere: Sphere) -> float:
    """RMS of the difference of the eyes, the second one moved on the first."""
    first, second = sphere.eyes(painted.astype(np.float32))
    return float(np.sqrt(np.square(np.roll(second, -SHIFT, axis=1) - first).mean()))


@pytest.mark.parametrize("stereo", ["top-bottom", "left-right"])
def test_strokes_of_both_eyes_agree(stereo: str, model: StyleModel) -> None:
    sphere = Sphere("equirect", stereo)
    frame = film_frame(sphere)
    alone = painter_of(model, 1.0, sphere).paint([frame])[0]
    (agreed,) = Repaint([model], settings_of(sphere)).paint(frame)
    np.testing.assert_array_equal(sphere.eyes(agreed)[0], sphere.eyes(alone)[0])
    assert strokes_apart(agreed, sphere) < strokes_apart(alone, sphere) / 2


def test_frames_of_a_batch_and_looks(model: StyleModel) -> None:
    """Eyes agree before colours and film come in."""
    frames = [film_frame(), np.ascontiguousarray(film_frame()[:, ::-1])]
    settings = settings_of(STEREO, keep_colors=True, strength=0.8)
    stages = Repaint([model, model], settings)
    for frame, image in zip(frames, stages.begin_batch(frames).images(), strict=True):
        # Alone its sums are those of one picture, in another order.
        assert np.abs(stages.paint(frame).astype(int) - image).max() <= 2
        np.testing.assert_array_equal(image[0], image[1])
    film = Repaint([model], settings_of(STEREO, strength=0.0)).paint(frames[0])
    np.testing.assert_array_equal(film[0], frames[0])


@pytest.mark.parametrize("batch_size", [1, 2])
def test_looks_of_one_frame_share_the_flow_between_its_eyes(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow goes both ways once a frame, and each part is that of a whole frame in its look."""
    models = [load_model(job_clips.style_bytes(seed), str(seed)) for seed in (5, 6)]
    region = settled(sha256=models[1].sha256)
    settings = replace(settings_of(STEREO), regions=(region,))
    mask = np.zeros((256, 256), np.uint8)
    mask[:, 60:150] = 255
    images = [film_frame(), np.ascontiguousarray(film_frame()[:, ::-1])][:batch_size]
    wholes = [Repaint(models, settings).paint(image) for image in images]
    calls = []
    estimate = EstimatedMotion.__call__

    def counted(self: EstimatedMotion, *words: Any) -> tuple[np.ndarray, np.ndarray]:
        calls.append(words)
        return estimate(self, *words)

    monkeypatch.setattr(EstimatedMotion, "__call__", counted)
    Repaint(models[:1], settings).paint(images[0])
    once = len(calls)
    calls.clear()
    stages = RegionalRepaint(models[:1], models[1:], settings, batch_size=batch_size)
    painted = stages.begin_batch([np.dstack([image, mask]) for image in images]).images()
    assert len(calls) == once * batch_size
    for (ground, inside), (ours,) in zip(wholes, painted, strict=True):
        expected = np.where(mask[..., None] == 255, inside, ground)
        # A batch has the same sums in another order.
        assert np.abs(ours.astype(int) - expected).max() <= (2 if batch_size > 1 else 0)


def test_what_is_painted_picture_by_picture_stays_apart(model: StyleModel) -> None:
    for settings in (
        settings_of(None),
        settings_of(Sphere("equirect")),
        settings_of(STEREO, temporal_strength=0.0),
    ):
        assert eye_to_eye(settings) is None
    assert eye_to_eye(settings_of(STEREO)) is not None


def test_a_run_whose_eyes_do_not_agree_is_not_continued_with_eyes_that_do() -> None:
    settings = settings_of(STEREO)
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"))
    wanted = run_identity(
        options,
        settings,
        software="",
        input_sha256="",
        style_sha256="",
        size=(256, 256),
        encoding=("libx264", 18.0, None),
    )
    check_same_run("out.h5", wanted, wanted)
    earlier = {name: value for name, value in wanted.items() if name != "eyes"}
    with pytest.raises(Exception, match="second eye has was its own, is those of the first"):
        check_same_run("out.h5", earlier, wanted)
