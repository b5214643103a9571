"""What has to be the same for a run to be continued, and how a difference is told."""

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fastvid.errors import InputError
from fastvid.job.identity import (
    check_same_run,
    picture_settings,
    processor_note,
    run_identity,
)
from fastvid.job.options import StylizeOptions
from fastvid.runfile.begin import reading_software
from fastvid.stages.settings import PictureSettings
from fastvid.style.scale import stroke_at_own_size

SETTINGS = PictureSettings(threads=2, processor="a processor")
OPTIONS = StylizeOptions(Path("in.mp4"), Path("out.mp4"))
ENCODING = ("libx264", 18.0, "medium")


def identity(
    options: StylizeOptions = OPTIONS, settings: PictureSettings = SETTINGS, **changes: Any
) -> dict[str, Any]:
    """As it comes back from the run file."""
    facts = {
        "software": "fastvid 1",
        "input_sha256": "aa",
        "style_sha256": "bb",
        "size": (64, 48),
        "encoding": ENCODING,
        **changes,
    }
    identity: dict[str, Any] = json.loads(json.dumps(run_identity(options, settings, **facts)))
    return identity


def difference(recorded: dict[str, Any], wanted: dict[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        check_same_run("out.h5", recorded, wanted)
    return str(error.value)


def test_the_same_run_goes_on() -> None:
    check_same_run("out.h5", identity(), identity())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            identity(settings=replace(SETTINGS, flow="farneback")),
            "--flow was dis-medium, is farneback",
        ),
        (identity(settings=replace(SETTINGS, threads=4)), "--threads was 2, is 4"),
        (identity(settings=replace(SETTINGS, processor="another")), "the kind of processor was"),
        (identity(replace(OPTIONS, frames=(0, 9))), "--frames was None, is [0, 9]"),
        (identity(replace(OPTIONS, cuts="none")), "--cuts was auto, is none"),
        (identity(replace(OPTIONS, keep=("flow",))), "--keep was [], is ['flow']"),
        (identity(replace(OPTIONS, fps=Fraction(24))), "--fps was None, is 24"),
        (identity(input_sha256="cc"), "the content of the input is another"),
        (identity(style_sha256="cc"), "the style is another"),
        (identity(size=(32, 24)), "the size of the frames was [64, 48], is [32, 24]"),
        (identity(software="fastvid 2"), "the software was fastvid 1, is fastvid 2"),
    ],
)
def test_what_changed_is_named(changed: dict[str, Any], words: str) -> None:
    message = difference(identity(), changed)
    assert words in message and message.startswith("out.h5 was begun with other settings: ")
    assert "--restart" in message and "--run-file" in message


LARGE: dict[str, Any] = {"size": (1920, 1080)}


def test_a_film_that_is_painted_at_its_own_size_has_no_stroke_recorded() -> None:
    """So that runs begun before there was a choice go on."""
    own = replace(SETTINGS, stroke=stroke_at_own_size(1080, 1920))
    for recorded in (identity(), identity(settings=own, **LARGE)):
        assert "stroke" not in recorded
    assert identity(**LARGE)["stroke"] == 1.0
    assert identity(settings=replace(SETTINGS, stroke=2.0), size=(640, 360))["stroke"] == 2.0


def test_another_size_that_is_painted_is_another_run() -> None:
    before = {key: value for key, value in identity(**LARGE).items() if key != "stroke"}
    none = "none (painted at the film's own size)"
    assert f"--stroke was {none}, is 1.0" in difference(before, identity(**LARGE))
    assert f"--stroke was 1.0, is {none}" in difference(identity(**LARGE), before)
    finer = identity(settings=replace(SETTINGS, stroke=0.5), **LARGE)
    assert "--stroke was 1.0, is 0.5" in difference(identity(**LARGE), finer)


def test_precision_is_recorded_where_it_is_not_full() -> None:
    fast = identity(settings=replace(SETTINGS, precision="fast"))
    assert "precision" not in identity() and fast["precision"] == "fast"
    assert "--precision was full, is fast" in difference(identity(), fast)
    assert "--precision was fast, is full" in difference(fast, identity())


def test_recurrent_models_have_no_stroke() -> None:
    settings = picture_settings(OPTIONS, threads=1, recurrent=True)
    assert "stroke" not in identity(settings=settings, **LARGE)


def test_all_that_changed_is_named() -> None:
    message = difference(
        identity(), identity(settings=replace(SETTINGS, strength=0.5, keep_colors=True))
    )
    assert "--strength was 1.0, is 0.5" in message and "--keep-colors" in message


def test_what_does_not_shape_the_picture_may_change() -> None:
    """How the work is dealt and where it goes; how it is encoded, as long as frames are kept."""
    other = replace(
        OPTIONS,
        output=Path("other.mkv"),
        segment_length=9,
        lookahead=2,
        compression="gzip",
        crf=30.0,
        codec="ffv1",
        time_limit=60.0,
    )
    check_same_run("out.h5", identity(), identity(other, encoding=("ffv1", None, None)))


def test_discarded_frames_can_not_be_encoded_again() -> None:
    discarding = replace(OPTIONS, discard_frames=True)
    check_same_run("out.h5", identity(discarding), identity(discarding))
    message = difference(
        identity(discarding), identity(discarding, encoding=("libx264", 30.0, "medium"))
    )
    assert "--discard-frames" in message


def test_a_cuts_file_counts_by_its_content(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    one.write_text("3\n7\n")
    two.write_text("# the same\n7\n3\n")
    three.write_text("3\n8\n")
    first, second, third = (
        identity(replace(OPTIONS, cuts=str(path))) for path in (one, two, three)
    )
    check_same_run("out.h5", first, second)
    assert "--cuts was 3,7, is 3,8" in difference(first, third)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strength": 1.5}, "--strength 1.5"),
        ({"stroke": 0.25}, "--stroke 0.25"),
        ({"temporal_strength": -0.1}, "-0.1"),
        ({"flow_scale": 0.0}, "--flow-scale 0"),
        ({"segment_length": 0}, "--segment-length 0"),
        ({"lookahead": -1}, "--lookahead -1"),
        ({"threads": 0}, "--threads 0"),
        ({"on_error": "ignore"}, "--on-error ignore"),
        ({"compression": "zip"}, "--compression zip"),
        ({"keep": ("gate",)}, "--keep gate"),
        ({"time_limit": 10.0, "grace": 20.0}, "--time-limit 10"),
        ({"rank_timeout": 0.0}, "--rank-timeout 0"),
    ],
)
def test_values_out_of_range(change: dict[str, Any], words: str) -> None:
    OPTIONS.check()
    with pytest.raises(InputError) as error:
        replace(OPTIONS, **change).check()
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("output", "run_path"),
    [("out.mp4", "out.h5"), ("a/b.c.mkv", "a/b.c.h5"), ("frames", "frames.h5")],
)
def test_the_run_file_lies_beside_the_output(output: str, run_path: str) -> None:
    assert replace(OPTIONS, output=Path(output)).run_path == Path(run_path)
    named = replace(OPTIONS, output=Path(output), run_file=Path("/scratch/x.h5"))
    assert named.run_path == Path("/scratch/x.h5")


def test_what_reads_the_film_counts_too() -> None:
    with pytest.raises(InputError, match="the software that reads the film was av 14, is av 15"):
        check_same_run("out.h5", identity(reading="av 14"), identity(reading="av 15"))


def test_a_run_begun_before_that_was_noted_is_continued(caplog: pytest.LogCaptureFixture) -> None:
    check_same_run("out.h5", identity(), identity(reading="av 15"))
    assert "out.h5 does not say" in caplog.text and "av 15 now" in caplog.text


def test_all_that_reads_a_film_has_a_version() -> None:
    versions = reading_software()
    for name in ("av", "libavcodec", "libswscale", "scenedetect"):
        assert re.search(rf"\b{name} \d+\.", versions), versions


def test_processors_of_several_kinds_are_recorded_and_said() -> None:
    mixed = picture_settings(OPTIONS, threads=1, processors=["EPYC", "Xeon", "EPYC"])
    assert mixed.processor == "EPYC and Xeon"
    assert "2 kinds (EPYC, Xeon)" in str(processor_note(mixed))
    alike = picture_settings(OPTIONS, threads=1, processors=["EPYC", "EPYC"])
    assert alike.processor == "EPYC" and processor_note(alike) is None
    with pytest.raises(InputError, match="the kind of processor was EPYC, is EPYC and Xeon"):
        check_same_run("out.h5", identity(settings=alike), identity(settings=mixed))
