"""Damaged files from outside end in a clear error, never in a crash or a huge allocation."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastvid.commands import stylize
from fastvid.commands.cli import command_parser
from fastvid.commands.stylize import stylize_options
from fastvid.errors import InputError
from fastvid.motion.flo import write_flo
from fastvid.motion.pgm import write_pgm
from fastvid.runfile.writer import RunWriter, SegmentRecord, to_json
from support.original_networks import FAV_ARCH, FAV_START_PX, FAV_VIDEO, random_weights
from support.places import PROGRAMS
from support.state_dicts import PORT, saved
from support.torch7_files import checkpoint_of, fav_modules, torch7_bytes

COPIES = 150
SEED = 1


def write_run(path: Path) -> Path:
    attributes = {
        "settings": to_json({"threads": 1}),
        "time_base": [1, 25],
        "average_rate": [25, 1],
        "color": [1, 1, 1, 0],
        "input": "in.mp4",
        "input_stream": 0,
        "span": [],
        "style": "starry_night",
        "created": "today",
        "fastvid_version": "0",
        "command": "fastvid",
    }
    writer = RunWriter.create(path, 12, 16, attributes, (), "gzip")
    frames = [np.full((12, 16, 3), 40 * i, np.uint8) for i in range(4)]
    writer.store(SegmentRecord(0, 0, 4, 0, 0, 0, "here", range(4), [1] * 4, {}), frames)
    writer.close()
    return path


def write_cuts(path: Path) -> Path:
    path.write_text("# cuts\n12\n40\n\n170,\n")
    return path


def write_flow(path: Path) -> Path:
    write_flo(path, np.ones((9, 7, 2), np.float32))
    return path


def write_mask(path: Path) -> Path:
    write_pgm(path, np.full((9, 7), 255, np.uint8))
    return path


@pytest.mark.parametrize(
    ("kind", "name", "write"),
    [
        ("run", "run.h5", write_run),
        ("cuts", "cuts.csv", write_cuts),
        ("flow", "a.flo", write_flow),
        ("mask", "a.pgm", write_mask),
    ],
)
def test_damaged_files(kind: str, name: str, write: Callable[[Path], Path], tmp_path: Path) -> None:
    assert_survives(kind, write(tmp_path / name))


def test_damaged_checkpoints(tiny_style: Path) -> None:
    assert_survives("checkpoint", tiny_style)


@pytest.mark.parametrize("ascii_format", [False, True])
def test_damaged_torch7_models(ascii_format: bool, tmp_path: Path) -> None:
    path = tmp_path / "candy.t7"
    modules = fav_modules(random_weights(FAV_ARCH, FAV_VIDEO), FAV_START_PX)
    path.write_bytes(torch7_bytes(checkpoint_of(modules), ascii_format))
    assert_survives("checkpoint", path)


@pytest.mark.parametrize("legacy", [False, True])
def test_damaged_state_dicts(legacy: bool, tmp_path: Path) -> None:
    path = tmp_path / "candy.pth"
    path.write_bytes(saved(PORT, legacy))
    assert_survives("checkpoint", path)


def assert_survives(kind: str, original: Path) -> None:
    """Runs the reader apart: a crash of a library must not take the tests with it."""
    program = [
        sys.executable,
        str(PROGRAMS / "fuzz_reader.py"),
        kind,
        str(original),
        str(SEED),
        str(COPIES),
    ]
    finished = subprocess.run(program, capture_output=True, text=True, timeout=240, check=False)
    last = finished.stdout.splitlines()[-1:]
    assert finished.returncode == 0, f"{last}: {finished.stderr[-2000:]}"
    refused = int(last[0].split()[1])
    assert refused > COPIES // 10


WORDS = st.one_of(
    st.sampled_from(
        [
            "--frames",
            "--size",
            "--style",
            "--fps",
            "--cuts",
            "--crf",
            "--threads",
            "--keep",
            "--strength",
            "--codec",
            "-o",
            "out.mp4",
            "in.mp4",
            "1:0",
            "0x0",
            "-1x-1",
            "nan",
            "1/0",
            "99999999999999999999",
            "flow,,",
            "\u00b2",
            "",
        ]
    ),
    st.text(max_size=12),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WORDS, max_size=8))
def test_command_lines(words: list[str]) -> None:
    try:
        options = stylize_options(
            command_parser("stylize", stylize).parse_args(["in.mp4", "-o", "out.mp4", *words])
        )
        options.check()
    except InputError as error:
        assert str(error)
    except SystemExit as request:  # --help
        assert request.code == 0
