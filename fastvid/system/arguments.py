"""What command lines have in common: options as declared, shared ones, how errors are told."""

import argparse
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from fastvid.errors import InputError
from fastvid.system.forms import WordsForm
from fastvid.system.options import Declared, options_of
from fastvid.system.resources import usable_cores

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Parser(argparse.ArgumentParser):
    """Usage errors as one message with exit status 2, like every other bad input."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}\nSee `python -m {self.prog} --help`.")


def add_options(
    parser: argparse.ArgumentParser,
    kind: "type[DataclassInstance]",
    groups: Sequence[str],
    names: Container[str] | None = None,
) -> None:
    """Adds the options that a class declares, group by group; "" is the group without a heading.
    names: only these, None for all.

    What is parsed holds only those that were given: the defaults are those of the class.
    """
    declared = options_of(kind)
    for group in groups:
        target = parser.add_argument_group(group) if group else parser
        for one in declared:
            if one.option.group == group and (names is None or one.name in names):
                target.add_argument(one.flag, **_keywords(one))


def add_overwrite(parser: argparse.ArgumentParser, what: str = "an existing output") -> None:
    """Adds --overwrite. what: it replaces."""
    parser.add_argument("--overwrite", action="store_true", help=f"replaces {what}")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Adds --threads, of a command that one process runs."""
    parser.add_argument(
        "--threads",
        type=int,
        default=usable_cores(),
        metavar="N",
        help="threads (default: the cores that there are)",
    )


def _keywords(one: Declared) -> dict[str, Any]:
    """What argparse has to know of an option."""
    known = one.option
    keywords: dict[str, Any] = {"default": argparse.SUPPRESS, "help": _help(one)}
    if one.is_switch:
        return {**keywords, "action": "store_true"}
    if known.metavar is not None:
        keywords["metavar"] = known.metavar
    if known.repeated:
        keywords["action"] = "append"
    if isinstance(known.form, WordsForm):
        # What the words mean is found out once all are there (`with_options`).
        return {**keywords, "nargs": "+", "dest": one.name}
    if known.choices:
        return {**keywords, "choices": known.choices}
    return {**keywords, "type": known.form.read}


def _help(one: Declared) -> str:
    """The help of an option, with its default where the text names it."""
    text = one.option.help if isinstance(one.option.help, str) else one.option.help()
    default = f"{one.default:g}" if isinstance(one.default, float) else str(one.default)
    return text.replace("{default}", default).replace("%", "%%")
