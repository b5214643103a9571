"""The table of options: what a new one reaches, and what runs begun before it was there hold."""

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import fastvid.job.identity
from fastvid.commands import stylize
from fastvid.commands.cli import command_parser
from fastvid.errors import InputError
from fastvid.job.identity import check_same_run, picture_settings, run_identity
from fastvid.job.options import GROUPS, StylizeOptions
from fastvid.parallel.setup import JobSetup
from fastvid.stages.overlap import Overlap
from fastvid.stages.settings import PICTURE, PictureOptions, PictureSettings
from fastvid.system.arguments import Parser, add_options
from fastvid.system.options import option, option_words, options_of, with_options, within
from support.places import REPOSITORY

OPTIONS = StylizeOptions(Path("in.mp4"), Path("out.mp4"))
FACTS: dict[str, Any] = {
    "software": "fastvid 1",
    "input_sha256": "aa",
    "style_sha256": "bb",
    "size": (64, 48),
    "encoding": ("libx264", 18.0, "medium"),
}
# What run files of 2026-11-27 hold, word for word.
BEGUN_BEFORE = {
    "flow": "dis-fast",
    "flow_scale": 1.0,
    "mask_boundaries": False,
    "temporal_strength": 0.85,
    "strength": 0.5,
    "keep_colors": True,
    "threads": 2,
    "processor": "a processor",
    "device": "cpu",
    "flow_sha256": None,
    "software": "fastvid 1",
    "input_sha256": "aa",
    "style_sha256": "bb",
    "frames": [3, None],
    "size": [64, 48],
    "fps": "25",
    "cuts": "auto",
    "keep": ["flow", "occlusion"],
    "discard_frames": "libx264 18.0 medium",
}
RECURRENT_BEGUN_BEFORE = {
    "flow": "dis-medium",
    "flow_scale": 1.0,
    "mask_boundaries": False,
    "temporal_strength": 0.0,
    "strength": 1.0,
    "keep_colors": False,
    "threads": 2,
    "processor": "a processor",
    "device": "cpu",
    "pipeline": "overlap",
    "flow_sha256": "cc",
    "overlap_segment": 90,
    "overlap_warm_up": 8,
    "overlap_recompute": 16,
    "overlap_fade": 8,
    "overlap_tolerance": 0.5,
    "first_frame_sha256": "dd",
    "software": "fastvid 1",
    "input_sha256": "aa",
    "style_sha256": "bb",
    "frames": None,
    "size": [64, 48],
    "fps": None,
    "cuts": "auto",
    "keep": [],
    "discard_frames": None,
}


@pytest.fixture(autouse=True)
def one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastvid.job.identity, "processor_name", lambda: "a processor")


def from_run_file(identity: dict[str, Any]) -> dict[str, Any]:
    back: dict[str, Any] = json.loads(json.dumps(identity))
    return back


def test_a_run_begun_before_is_continued() -> None:
    options = replace(
        OPTIONS,
        strength=0.5,
        keep_colors=True,
        flow="dis-fast",
        frames=(3, None),
        fps=Fraction(25),
        keep=("occlusion", "flow"),
        discard_frames=True,
    )
    identity = from_run_file(run_identity(options, picture_settings(options, threads=2), **FACTS))
    assert identity == BEGUN_BEFORE
    check_same_run("out.h5", BEGUN_BEFORE, identity)


def test_a_recurrent_run_begun_before_is_continued() -> None:
    options = replace(OPTIONS, pipeline="overlap", overlap=Overlap(segment=90))
    settings = picture_settings(options, threads=2, recurrent=True, flow_sha256="cc")
    identity = run_identity(options, settings, **FACTS, first_frame_sha256="dd")
    assert from_run_file(identity) == RECURRENT_BEGUN_BEFORE
    check_same_run("out.h5", RECURRENT_BEGUN_BEFORE, from_run_file(identity))


@pytest.mark.parametrize("begun", [BEGUN_BEFORE, RECURRENT_BEGUN_BEFORE])
def test_every_setting_of_a_run_has_a_name_for_the_user(begun: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        check_same_run("out.h5", dict.fromkeys(begun, "old"), dict.fromkeys(begun, "new"))
    message = str(error.value)
    for flag in ("--flow-dir is another", "--first-frame-model is another"):
        assert (flag in message) == (begun is RECURRENT_BEGUN_BEFORE or "dir" in flag)
    assert "--keep was" in message and "the kind of processor was" in message


def test_each_option_stands_under_a_heading() -> None:
    declared = options_of(StylizeOptions)
    assert {one.option.group for one in declared} == set(GROUPS)
    undeclared = {one.name for one in fields(StylizeOptions)} - {one.path[0] for one in declared}
    assert undeclared == {"input", "output"}


def test_each_option_is_on_the_command_line_and_in_python() -> None:
    text = command_parser("stylize", stylize).format_help()
    for one in options_of(StylizeOptions):
        assert f"  {one.flag}" in text
        assert with_options(OPTIONS, {one.name: one.default}) == OPTIONS


@dataclass(frozen=True, kw_only=True)
class WiderPicture(PictureOptions):
    """The options of the picture, with one more: its one declaration."""

    grain: float = option(
        0.0,
        "film grain on top of the painting (default: {default})",
        group=PICTURE,
        check=within(0, 1),
        only_for="frame",
        why="it would continue the grain",
    )


@dataclass(frozen=True)
class WiderOptions(WiderPicture, StylizeOptions):
    pass


@dataclass(frozen=True, kw_only=True)
class WiderSettings(WiderPicture, PictureSettings):
    pass


def test_a_new_option_of_the_picture_is_declared_in_one_place() -> None:
    """It is on the command line, checked, in the script, in the identity, and with every rank."""
    parser = Parser(prog="fastvid stylize")
    add_options(parser, WiderOptions, GROUPS)
    base = WiderOptions(Path("in.mp4"), Path("out.mp4"))
    options = with_options(base, vars(parser.parse_args(["--grain=0.25"])))
    assert options.grain == 0.25
    assert option_words(options) == ["--grain=0.25"]
    with pytest.raises(InputError, match=r"--grain 2 is outside 0\.\.1\."):
        replace(options, grain=2.0).check()
    settings = WiderSettings(
        **{one.name: getattr(options, one.name) for one in fields(WiderPicture)},
        threads=1,
        processor="a processor",
    )
    assert run_identity(options, settings, **FACTS)["grain"] == 0.25
    sent = JobSetup(settings, ("wave",), (b"",), 4, (), 300.0).arrays()[0]
    assert json.loads(sent.tobytes())["settings"]["grain"] == 0.25


def test_what_travels_is_what_shapes_the_picture() -> None:
    settings = picture_settings(replace(OPTIONS, keep_colors=True, strength=0.25), threads=2)
    shaping = {one.name for one in fields(PictureOptions)}
    assert shaping == {one.name for one in options_of(PictureOptions)}
    assert {name: asdict(settings)[name] for name in shaping} == {
        name: getattr(replace(OPTIONS, keep_colors=True, strength=0.25), name) for name in shaping
    }


def test_an_option_is_named_where_it_is_declared_and_where_it_is_used() -> None:
    """Nothing in between names it: not the parser, the checks, the message, nor the identity."""
    package = REPOSITORY / "fastvid"
    naming = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"\.mask_boundaries\b|\bmask_boundaries:", path.read_text(encoding="utf-8"))
    }
    assert naming == {"stages/settings.py"}
