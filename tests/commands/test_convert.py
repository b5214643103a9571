"""`fastvid convert` and `fastvid styles FILE`: other programs' models in the project's format."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastvid.style.describe import describe_file
from fastvid.style.loading import load_model, load_recurrent
from fastvid.style.model import set_threads
from fastvid.style.variant import Variant
from support.original_networks import (
    EXAMPLES_ARCH,
    FAV_ARCH,
    FAV_START_PX,
    FAV_VIDEO,
    random_weights,
)
from support.state_dicts import EXAMPLES, EXAMPLES_KEYS, examples_weights, renamed, saved
from support.torch7_files import checkpoint_of, conv, fav_modules, sequential, torch7_bytes

STATUS_BAD_INPUT = 2
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def video_model(tmp_path: Path) -> Path:
    path = tmp_path / "candy.t7"
    modules = fav_modules(random_weights(FAV_ARCH, FAV_VIDEO), FAV_START_PX)
    path.write_bytes(torch7_bytes(checkpoint_of(modules)))
    return path


@pytest.fixture
def image_model(tmp_path: Path) -> Path:
    path = tmp_path / "mosaic.pth"
    path.write_bytes(saved(renamed(examples_weights(), EXAMPLES_KEYS), legacy=True))
    return path


def test_a_converted_video_model_paints_the_same_bytes(video_model: Path, run_main: Run) -> None:
    set_threads(1)
    output = video_model.with_name("candy.pt")
    assert run_main("convert", video_model, "-o", output) == (0, "")
    before = load_recurrent(video_model.read_bytes(), "t7")
    after = load_recurrent(output.read_bytes(), "pt")
    frame, warped = np.random.default_rng(5).integers(0, 256, (2, 45, 62, 3), np.uint8)
    mask = np.ones((45, 62), np.float32)
    assert np.array_equal(before.step(frame, warped, mask), after.step(frame, warped, mask))
    assert np.array_equal(before.step(frame, None, None), after.step(frame, None, None))


def test_a_converted_image_model_paints_the_same_bytes(image_model: Path, run_main: Run) -> None:
    set_threads(1)
    output = image_model.with_name("mosaic.pt")
    assert run_main("convert", image_model, "-o", output) == (0, "")
    frame = np.random.default_rng(5).integers(0, 256, (45, 62, 3), np.uint8)
    models = [load_model(path.read_bytes(), "t") for path in (image_model, output)]
    theirs, converted = (model.paint([frame])[0] for model in models)
    assert np.array_equal(theirs, converted)
    assert models[1].variant == EXAMPLES and models[1].arch == EXAMPLES_ARCH


def test_a_converted_file_converts_to_itself(video_model: Path, run_main: Run) -> None:
    first, second = (video_model.with_name(name) for name in ("first.pt", "second.pt"))
    assert run_main("convert", video_model, "-o", first)[0] == 0
    assert run_main("convert", first, "-o", second)[0] == 0
    assert first.read_bytes() == second.read_bytes()


def test_nothing_is_replaced_unasked(video_model: Path, run_main: Run) -> None:
    output = video_model.with_name("there.pt")
    output.write_bytes(b"precious")
    status, message = run_main("convert", video_model, "-o", output)
    assert status == STATUS_BAD_INPUT and "there.pt exists already" in message
    assert output.read_bytes() == b"precious"
    status, message = run_main("convert", video_model, "-o", video_model, "--overwrite")
    assert status == STATUS_BAD_INPUT and "is the input" in message
    assert run_main("convert", video_model, "-o", output, "--overwrite")[0] == 0
    assert load_model(output.read_bytes(), "t").kind == "recurrent"


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda data: data[:-900], "damaged or cut off"),
        (lambda data: data.replace(b"nn.Tanh", b"nn.Sine"), "layer 'nn.Sine'"),
        (lambda data: b"PK nothing", "not a style model"),
    ],
)
def test_what_is_no_model_leaves_nothing_behind(
    video_model: Path, run_main: Run, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    video_model.write_bytes(spoil(video_model.read_bytes()))
    output = video_model.with_name("candy.pt")
    for arguments in (["convert", video_model, "-o", output], ["styles", video_model]):
        status, message = run_main(*arguments)
        assert status == STATUS_BAD_INPUT and reason in message and "candy.t7" in message
        assert len(message.splitlines()) == 1
    assert list(video_model.parent.iterdir()) == [video_model]


def test_a_video_model_is_described(video_model: Path, run_main: Run) -> None:
    text = describe_file(str(video_model))
    weights = random_weights(FAV_ARCH, FAV_VIDEO)
    count = sum(weight.numel() for weight in weights.values())
    for words in (
        "candy.t7: recurrent model",
        "Torch7",
        FAV_ARCH,
        "7 channels",
        f"{count:,}",
        "16 pixels of reflection",
        "padding of convolutions: zero",
        "crops 2 a side",
        "BGR levels 0..255 minus 103.939, 116.779, 123.68",
        "150 x tanh",
    ):
        assert words in text
    assert run_main("styles", video_model)[0] == 0


def test_an_image_model_is_described(image_model: Path) -> None:
    text = describe_file(str(image_model))
    for words in (
        "mosaic.pth: frame model",
        "PyTorch examples",
        EXAMPLES_ARCH,
        "3 channels",
        "RGB levels 0..255 minus 0, 0, 0",
        "the last layer",
        "and the Us",
    ):
        assert words in text
    assert "mirrored" in describe_file("starry_night") and "fastvid" in describe_file("udnie")


def test_channels_that_fit_no_kind_are_named(tmp_path: Path, run_main: Run) -> None:
    path = tmp_path / "five.t7"
    weights = random_weights("c3s1-3", Variant(in_channels=5))
    path.write_bytes(torch7_bytes(sequential(conv(weights, "0", padding=1))))
    status, message = run_main("styles", path)
    assert status == STATUS_BAD_INPUT and "takes 5 channels" in message and "five.t7" in message
