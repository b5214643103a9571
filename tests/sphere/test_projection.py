"""What a film is taken for: by its tags alone, never by a guess that changes pixels."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from fastvid.commands.clip.sphere import SphereClip
from fastvid.decode.film import open_source
from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.decode.sphere_tags import QUARTER, SphereTags
from fastvid.errors import InputError
from fastvid.sphere.projection import Sphere, settle_sphere
from fastvid.sphere.seam import looks_like_a_sphere, seam_ratio
from support.job_clips import write_clip

HALF_BOUNDS = (QUARTER, 0, QUARTER, 0)
INFO = VideoInfo("in.mp4", 512, 256, Fraction(1, 25), Fraction(25), None, ColorTags())


@pytest.mark.parametrize(
    ("tags", "size", "expected"),
    [
        (None, (512, 256), None),
        (SphereTags("equirect"), (512, 256), Sphere("equirect")),
        (SphereTags("equirect", stereo="top-bottom"), (512, 512), Sphere("equirect", "top-bottom")),
        (SphereTags("equirect", stereo="top-bottom"), (512, 288), Sphere("equirect", "top-bottom")),
        (
            SphereTags("equirect", bounds=HALF_BOUNDS, stereo="left-right"),
            (512, 256),
            Sphere("half-equirect", "left-right"),
        ),
        (SphereTags(stereo="left-right"), (512, 256), None),
    ],
)
def test_by_the_tags(
    tags: SphereTags | None, size: tuple[int, int], expected: Sphere | None
) -> None:
    info = replace(INFO, sphere=tags, width=size[0], height=size[1])
    assert settle_sphere(info, "auto", "auto", "in.mp4") == (expected, [])
    assert settle_sphere(info, "flat", "auto", "in.mp4") == (None, [])
    if expected is not None and tags is not None:
        assert expected.tags(tags) == tags


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        (SphereTags("equirect", bounds=(0, 1 << 29, 0, 0)), "part of a sphere"),
        (SphereTags("equirect", stereo="top-bottom"), "painted as a flat picture"),
    ],
)
def test_what_can_not_be_laid_out_is_painted_flat_and_said(tags: SphereTags, word: str) -> None:
    info = replace(INFO, sphere=tags, width=1100, height=256)
    sphere, notes = settle_sphere(info, "auto", "auto", "in.mp4")
    assert sphere is None and word in notes[0]


@pytest.mark.parametrize(
    ("size", "projection", "stereo", "message"),
    [
        ((640, 160), "equirect", "mono", "an eye of it is 2:1, these are 640x160"),
        ((512, 256), "half-equirect", "mono", "an eye of it is 1:1"),
        ((512, 255), "equirect", "top-bottom", "can't be halved"),
        ((64, 32), "equirect", "mono", "too small for a sphere"),
        ((512, 256), "flat", "mono", "--stereo mono is for a sphere"),
    ],
)
def test_what_does_not_fit_is_refused(
    size: tuple[int, int], projection: str, stereo: str, message: str
) -> None:
    info = replace(INFO, width=size[0], height=size[1])
    with pytest.raises(InputError, match=message):
        settle_sphere(info, projection, stereo, "in.mp4")


def filtered(image: np.ndarray, arguments: str) -> np.ndarray:
    """What `ffmpeg -vf v360=...` makes of a picture, (H, W, 3) uint8 RGB."""
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="gbrp")
    frame.pts = 0
    graph = Graph()
    first = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    graph.link_nodes(first, graph.add("v360", arguments), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull().to_ndarray(format="rgb24")


def test_cube_maps_are_refused_with_what_makes_equirectangular_films_of_them() -> None:
    """Both commands of the message do what it says, there and back."""
    info = replace(INFO, sphere=SphereTags("cubemap"), width=768, height=512)
    with pytest.raises(InputError) as caught:
        settle_sphere(info, "auto", "auto", "my film.mp4")
    message = str(caught.value)
    assert "-i 'my film.mp4' -vf v360=c3x2:e -c:a copy" in message
    assert settle_sphere(info, "flat", "auto", "my film.mp4") == (None, [])
    frame = SphereClip(512, 256, frame_count=1).frame(0)
    for cube in ("c3x2", "eac"):
        assert f"v360={cube}:e" in message and f"v360=e:{cube}" in message
        whole = filtered(filtered(frame, f"e:{cube}"), f"{cube}:e")
        assert whole.shape == frame.shape
        assert np.abs(whole.astype(int) - frame).mean() < 5


def test_an_untagged_film_that_wraps_is_noticed(tmp_path: Path) -> None:
    clip = SphereClip(256, 128, frame_count=4, turn=8.0)
    frames = [clip.frame(number) for number in range(4)]
    ramp = np.linspace(0, 250, 256) + 3 * (np.arange(256) % 2)
    flat = np.tile(ramp.clip(0, 255).astype(np.uint8)[None, :, None], (128, 1, 3))
    for name, images, expected in (
        ("sphere", frames, True),
        ("flat", [flat], False),
        ("grey", [np.full_like(frames[0], 128)], False),
    ):
        path = write_clip(tmp_path / f"{name}.mkv", images, range(0, 40 * len(images), 40))
        with open_source(str(path)) as source:
            assert looks_like_a_sphere(source) == expected
    assert seam_ratio(np.zeros((8, 16, 3), np.uint8), Sphere("equirect")) is None
