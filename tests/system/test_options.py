"""Options that are fields of a dataclass: read, checked and written from one declaration."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fastvid.errors import InputError
from fastvid.system.arguments import Parser, add_options
from fastvid.system.forms import NAME_OR_PATH, NAMES, PATH, SIZE
from fastvid.system.options import (
    above,
    at_least,
    check_options,
    inner_options,
    option,
    option_words,
    options_of,
    with_options,
    within,
)


@dataclass(frozen=True)
class Brush:
    width: int = option(3, "pixels (default: {default})", check=at_least(1))
    hair: str = option("fine", "of the brush", choices=("fine", "coarse"))


@dataclass(frozen=True)
class Look:
    place: Path
    strength: float = option(0.5, "100% is 1 (default: {default})", check=within(0, 1))
    scale: float = option(1.0, "of the size", check=within(0, 1, "; half is 0.5", above=True))
    pause: float | None = option(None, "in between", check=above(0, " seconds"))
    grey: bool = option(False, "without colours")
    method: str = option("a", "which", choices=("a", "b", "c"))
    size: tuple[int, int] | None = option(None, "of the picture", form=SIZE, group="the rest")
    styles: tuple[str, ...] = option((), "several", form=NAME_OR_PATH, repeated=True)
    keep: tuple[str, ...] = option((), "names", form=NAMES)
    folder: Path | None = option(None, "where", form=PATH)
    brush: Brush = inner_options(Brush(), "the brush")
    cores: int = option(1, "of this machine", in_script=False)


LOOK = Look(Path("x"))


def read(*words: str) -> Look:
    parser = Parser(prog="look")
    add_options(parser, Look, ("", "the brush", "the rest"))
    return with_options(LOOK, vars(parser.parse_args(words)))


def test_what_is_not_given_is_as_declared() -> None:
    assert read() == LOOK and not option_words(LOOK)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["--strength=0.25"], {"strength": 0.25}),
        (["--grey", "--method=c"], {"grey": True, "method": "c"}),
        (["--size=-1x360"], {"size": (-1, 360)}),
        (["--styles=-x", "--styles=wave"], {"styles": ("-x", "wave")}),
        (["--keep=flow,occlusion"], {"keep": ("flow", "occlusion")}),
        (["--folder=/a b"], {"folder": Path("/a b")}),
        (["--brush-width=5", "--brush-hair=coarse"], {"brush": Brush(5, "coarse")}),
    ],
)
def test_there_and_back(words: list[str], options: dict[str, object]) -> None:
    wanted = replace(LOOK, **options)  # type: ignore[arg-type]
    assert read(*words) == wanted
    assert option_words(wanted) == words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 1.5}, "--strength 1.5 is outside 0..1."),
        ({"strength": float("nan")}, "--strength nan is outside 0..1."),
        ({"scale": 0.0}, "--scale 0 is outside 0..1; half is 0.5."),
        ({"pause": 0.0}, "--pause 0 is not above 0 seconds."),
        ({"method": "x"}, "--method x is unknown; there are a, b, c."),
        ({"brush": Brush(0)}, "--brush-width 0 is less than 1."),
        ({"brush": Brush(1, "thick")}, "--brush-hair thick is neither fine nor coarse."),
    ],
)
def test_what_is_refused(options: dict[str, object], message: str) -> None:
    check_options(LOOK)
    with pytest.raises(InputError) as error:
        check_options(replace(LOOK, **options))  # type: ignore[arg-type]
    assert str(error.value) == message


def test_the_help_names_the_defaults() -> None:
    parser = Parser(prog="look")
    add_options(parser, Look, ("", "the brush", "the rest"))
    text = parser.format_help()
    assert "100% is 1 (default: 0.5)" in text and "pixels (default: 3)" in text
    assert text.index("--strength") < text.index("the brush:") < text.index("the rest:")


def test_every_option_is_declared_once() -> None:
    names = [one.name for one in options_of(Look)]
    assert len(names) == len(set(names)) == 12
    assert "brush_width" in names and "place" not in names


def test_what_a_script_says_itself_is_left_out() -> None:
    assert option_words(replace(LOOK, cores=4)) == []
