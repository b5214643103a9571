"""What is said behind --region: read, written back, refused."""

from pathlib import Path

import pytest

from fastvid.commands.stylize import add_stylize_arguments, stylize_options
from fastvid.errors import InputError
from fastvid.regions.settings import describe_change, same_regions
from fastvid.regions.spec import Region, read_region, write_region
from fastvid.system.arguments import Parser
from fastvid.system.options import option_words
from support.mask_files import settled


def parsed(*words: str) -> tuple[Region, ...]:
    parser = Parser(prog="fastvid stylize")
    add_stylize_arguments(parser)
    return tuple(stylize_options(parser.parse_args([*words])).regions)


def test_regions_come_from_the_command_line_and_go_into_a_script() -> None:
    regions = parsed(
        "in.mp4",
        "--region",
        "fox/",
        "film",
        "--region",
        "labels/:3",
        "wave",
        "strength=0.6",
        "invert",
        "keep-colors",
        "no-refine",
        "grow=-2",
        "feather=1.5",
        "-o",
        "out.mp4",
    )
    assert regions == (
        Region("fox/", "film"),
        Region("labels/:3", "wave", 0.6, True, True, -2.0, 1.5, False),
    )
    assert regions[1].place == ("labels/", "3")
    parser = Parser(prog="fastvid stylize")
    add_stylize_arguments(parser)
    options = stylize_options(
        parser.parse_args(["in.mp4", "-o", "out.mp4", "--region", "a:#FF00aa", "film"])
    )
    assert option_words(options) == ["--region", f"{Path.cwd()}/a:#ff00aa", "film"]


def test_what_is_written_is_read_as_the_same(tmp_path: Path) -> None:
    region = Region(f"{tmp_path}/m:7", "wave", 0.25, False, True, 3.0, 0.0, True)
    assert read_region(write_region(region)) == region
    # A name with a colon is a name where there is such a file.
    (tmp_path / "odd:3").mkdir()
    assert Region(tmp_path / "odd:3", "film").place == (f"{tmp_path}/odd:3", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fox/"], "takes a mask and a style"),
        (["fox/", "film", "in.mp4"], "in.mp4 is unknown; behind mask and style may stand strength"),
        (["fox/", "film", "strength=x"], "'x' is not a number"),
        (["fox/", "film", "grow=nan"], "'nan' is not a number"),
        (["fox/", "film", "strength"], "strength is unknown"),
    ],
)
def test_words_that_say_nothing_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_region(words)


def test_numbers_out_of_range_and_a_film_that_nothing_paints_are_refused() -> None:
    with pytest.raises(InputError, match=r"strength=2 is outside 0\.\.1"):
        Region("m", "film", strength=2.0).check()
    with pytest.raises(InputError, match="feather=-1 is outside"):
        Region("m", "film", feather=-1.0).check()
    parser = Parser(prog="fastvid stylize")
    add_stylize_arguments(parser)
    words = ["in.mp4", "-o", "out.mp4", "--style", "film"]
    with pytest.raises(InputError, match="--style film alone paints nothing"):
        stylize_options(parser.parse_args(words)).check()


def test_a_change_of_the_regions_is_told() -> None:
    table = settled().table()
    moved = {**table, "mask": "elsewhere", "style": "renamed"}
    assert same_regions([table], [moved]) and same_regions(None, ())
    assert not same_regions(None, [table])
    assert describe_change(None, [table]) == "there were 0 --region, there are 1"
    for field, value, told in (
        ("mask_sha256", "other", "--region mask is another"),
        ("feather", 2.0, "--region mask: feather was 0.0, is 2.0"),
        ("style_sha256", "other", "--region mask was style, is style, or another of that name"),
    ):
        assert not same_regions([table], [{**table, field: value}])
        assert describe_change([table], [{**table, field: value}]) == told
