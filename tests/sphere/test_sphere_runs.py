"""Whole runs of spherical films: the same bytes however they are run, and what goes with them."""

from pathlib import Path

import numpy as np
import pytest

import fastvid
from fastvid.commands.clip.sphere import SphereClip
from fastvid.commands.clip.writing import write_clip
from fastvid.commands.evaluate.run import evaluate_run
from fastvid.commands.preview.command import preview
from fastvid.decode.film import open_source
from fastvid.decode.sphere_tags import SphereTags
from fastvid.errors import InputError
from fastvid.runfile.reader import RunFile
from support.job_clips import write_clip as write_plain_clip
from support.launching import run_fastvid

FRAMES = 9


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagged sphere of 128x64 that turns by 5 degrees a frame."""
    path = tmp_path_factory.mktemp("sphere") / "in.mp4"
    write_clip(path, SphereClip(128, 64, frame_count=FRAMES, turn=5.0))
    return path


def painted(run: Path) -> tuple[list[bytes], dict[str, object]]:
    with RunFile(run) as file:
        return [file.frame(index).tobytes() for index in range(file.frame_count)], file.settings


def command(film: Path, style: Path, output: Path, *more: str) -> list[str]:
    wanted = ["stylize", str(film), "-o", str(output), "--style", str(style)]
    return [*wanted, "--cuts", "none", "--progress", "none", "--segment-length", "2", *more]


@pytest.mark.mpi
def test_any_number_of_ranks_gives_the_same_bytes(
    film: Path, tiny_style: Path, tmp_path: Path
) -> None:
    alone, three = tmp_path / "alone.mp4", tmp_path / "three.mkv"
    for output, ranks in ((alone, 1), (three, 3)):
        done = run_fastvid(*command(film, tiny_style, output, "--decode", "local"), ranks=ranks)
        assert done.status == 0, done
    expected, settings = painted(tmp_path / "alone.h5")
    assert painted(tmp_path / "three.h5")[0] == expected
    assert settings["projection"] == "equirect" and settings["stereo"] == "mono"
    for path in (alone, three):
        with open_source(str(path)) as source:
            assert source.info.sphere == SphereTags("equirect")


def stylize(film: Path, style: Path, output: Path, **more: object) -> list[bytes]:
    usual = {"style": str(style), "threads": 1, "cuts": "none", "progress": "none"}
    fastvid.stylize(film, output, **(usual | more))  # type: ignore[arg-type]
    return painted(output.with_suffix(".h5"))[0]


def test_a_run_goes_on_and_does_not_become_another(
    film: Path, tiny_style: Path, tmp_path: Path
) -> None:
    whole = stylize(film, tiny_style, tmp_path / "whole.mkv")
    flat = stylize(film, tiny_style, tmp_path / "flat.mkv", projection="flat")
    assert len(whole) == FRAMES and whole != flat
    with RunFile(tmp_path / "flat.h5") as run:
        assert "projection" not in run.settings and "stereo" not in run.settings
    with open_source(str(tmp_path / "flat.mkv")) as source:
        assert source.info.sphere == SphereTags("equirect")
    with pytest.raises(InputError, match="--projection was equirect, is flat"):
        stylize(film, tiny_style, tmp_path / "whole.mkv", projection="flat")
    with pytest.raises(InputError, match="--projection was flat, is equirect"):
        stylize(film, tiny_style, tmp_path / "flat.mkv")


def test_looks_flow_and_several_styles(film: Path, tiny_style: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(tiny_style.read_bytes())
    plain = stylize(film, tiny_style, tmp_path / "plain.mkv", keep=("flow", "occlusion"))
    fastvid.stylize(
        film,
        tmp_path / "both.mkv",
        style=(str(tiny_style), str(other)),
        threads=1,
        cuts="none",
        progress="none",
    )
    assert painted(tmp_path / "both.tiny.h5")[0] == painted(tmp_path / "both.other.h5")[0] == plain
    grey = stylize(film, tiny_style, tmp_path / "kept.mkv", strength=0.0, temporal_strength=0.0)
    with open_source(str(film)) as source:
        assert grey == [frame.image.tobytes() for frame in source]
    assert stylize(film, tiny_style, tmp_path / "colors.mkv", keep_colors=True) != plain
    with RunFile(tmp_path / "plain.h5") as run:
        flow = np.stack([run.flow(index) for index in range(1, FRAMES)])
    assert np.abs(flow[..., 0]).max() <= 64


def test_an_untagged_film_is_hinted_at_and_tagged(
    film: Path, tiny_style: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.mkv"
    stylize(film, tiny_style, plain, strength=0.0, projection="flat")
    untagged = tmp_path / "untagged.mkv"
    remux_without_tags(plain, untagged)
    stylize(untagged, tiny_style, tmp_path / "out.mp4", projection="equirect")
    with open_source(str(tmp_path / "out.mp4")) as source:
        assert source.info.sphere == SphereTags("equirect")


def remux_without_tags(source: Path, target: Path) -> None:
    with open_source(str(source)) as film:
        assert film.info.sphere is not None
        images = [frame.image for frame in film]
    write_plain_clip(target, images, range(0, 40 * len(images), 40))
    with open_source(str(target)) as film:
        assert film.info.sphere is None


def test_what_judges_knows_the_sphere(film: Path, tiny_style: Path, tmp_path: Path) -> None:
    stylize(film, tiny_style, tmp_path / "out.mkv")
    found = evaluate_run(
        tmp_path / "out.h5",
        film,
        judge="dis-medium",
        style=str(tiny_style),
        with_painting=True,
        limit=4,
        threads=1,
    )
    assert found.back is not None and found.film_back is not None
    assert found.back < 2 * found.film_back
    assert found.painted is not None and found.output.rmse is not None
    assert found.frames == 4


def test_a_preview_is_painted_as_a_sphere(film: Path, tiny_style: Path, tmp_path: Path) -> None:
    sheets = []
    for projection in ("auto", "flat"):
        sheet = tmp_path / f"{projection}.png"
        preview(film, sheet, styles=[str(tiny_style)], count=1, projection=projection, threads=1)
        sheets.append(sheet.read_bytes())
    assert sheets[0] != sheets[1]
