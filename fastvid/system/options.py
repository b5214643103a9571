"""Options as fields of a dataclass: each is declared once, with how it is read, checked and told.

    @dataclass(frozen=True)
    class Look:
        strength: float = option(1.0, "mixes the painting with the film", check=within(0, 1))

is `--strength` on the command line (`fastvid.system.arguments` makes the parser), refuses 1.5 in
`check_options`, and goes back into a command line by `option_words`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fastvid.errors import InputError
from fastvid.system.forms import COUNT, NUMBER, TEXT, Form, WordsForm

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
Holder = TypeVar("Holder", bound="DataclassInstance")
# What is wrong with a value, such as "is less than 1"; empty if nothing is.
Check = Callable[[Any], str]

_KEY = "option"
_FORMS: dict[type, Form[Any]] = {int: COUNT, float: NUMBER}


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name and default.

    help: may be a function, where the text takes time to find. group: the heading that it stands
    under in the help. form: how it is read and written. flag: its name on the command line, where
    that is not the field's. choices: all that there are, if they are few. repeated: given once for
    each value. only_for: the kind of models that it goes with,
    "frame" or "recurrent", empty for all; why: not with the others. recorded_as: its name in a run
    file, where that is another. in_script: whether a written command line repeats it.
    """

    help: str | Callable[[], str]
    group: str = ""
    form: Form[Any] | WordsForm[Any] = TEXT
    flag: str = ""
    metavar: str | tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()
    check: Check | None = None
    repeated: bool = False
    only_for: str = ""
    why: str = ""
    recorded_as: str = ""
    in_script: bool = True


@dataclass(frozen=True)
class _Inner:
    """Says that a field's own fields are options: `overlap.segment` is --overlap-segment."""

    group: str


def option(
    default: T,
    help: str | Callable[[], str],
    *,
    group: str = "",
    form: Form[Any] | WordsForm[Any] | None = None,
    flag: str = "",
    metavar: str | tuple[str, ...] | None = None,
    choices: Sequence[str] = (),
    check: Check | None = None,
    repeated: bool = False,
    only_for: str = "",
    why: str = "",
    recorded_as: str = "",
    in_script: bool = True,
) -> T:
    """A field that is an option; see `Option`. The form of a number follows from the default."""
    known = Option(
        help,
        group,
        form or _FORMS.get(type(default), TEXT),
        flag,
        metavar,
        tuple(choices),
        check,
        repeated,
        only_for,
        why,
        recorded_as,
        in_script,
    )
    made: T = field(default=default, metadata={_KEY: known})
    return made


def inner_options(default: T, group: str = "") -> T:
    """A field whose own fields are options, with the field's name before theirs."""
    made: T = field(default=default, metadata={_KEY: _Inner(group)})
    return made


@dataclass(frozen=True)
class Declared:
    """An option in its place. name: as one word, such as overlap_segment. path: the fields that
    lead to it. default: what it is unless it is given."""

    name: str
    path: tuple[str, ...]
    default: object
    option: Option

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return self.option.flag or "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it is on where it is named, and off where it is not."""
        return isinstance(self.default, bool)

    def value_in(self, options: object) -> object:
        """What it is set to."""
        for name in self.path:
            options = getattr(options, name)
        return options

    def is_changed(self, options: object) -> bool:
        """Whether it differs from its default."""
        return self.value_in(options) != self.default

    def check(self, options: object) -> None:
        """Raises InputError for a value out of range, or that is none of the choices."""
        value, known = self.value_in(options), self.option
        if value is None:
            return
        wrong = ""
        if known.choices and value not in known.choices:
            wrong = _no_choice(known.choices)
        elif known.check is not None:
            wrong = known.check(value)
        if wrong:
            shown = f"{value:g}" if isinstance(value, float) else _plain(value)
            raise InputError(f"{self.flag} {shown} {wrong}.")


def options_of(kind: "type[DataclassInstance]") -> tuple[Declared, ...]:
    """The options that a class declares, its own before inherited ones."""
    own_names = get_annotations(kind)
    found: list[Declared] = []
    for own in sorted(fields(kind), key=lambda one: one.name not in own_names):
        known = own.metadata.get(_KEY)
        if isinstance(known, Option):
            found.append(Declared(own.name, (own.name,), own.default, known))
        elif isinstance(known, _Inner):
            found += _inner(own, known)
    return tuple(found)


def _inner(outer: "Field[Any]", known: _Inner) -> Iterator[Declared]:
    holder = cast("DataclassInstance", outer.default)
    for one in options_of(type(holder)):
        yield Declared(
            f"{outer.name}_{one.name}",
            (outer.name, *one.path),
            one.value_in(holder),
            replace(one.option, group=known.group),
        )


def with_options(options: Holder, values: Mapping[str, object]) -> Holder:
    """The options with these values in place of their own.

    values: by the names of `Declared`, as a command line was parsed; what is no option is left out.
    """
    changed: dict[str, Any] = {}
    for one in options_of(type(options)):
        if one.name not in values:
            continue
        value = values[one.name]
        if one.option.repeated and isinstance(value, list):
            form = one.option.form
            value = tuple(map(form.read, value) if isinstance(form, WordsForm) else value)
        first, *rest = one.path
        if rest:
            holder = changed.get(first, getattr(options, first))
            changed[first] = replace(holder, **{rest[0]: value})
        else:
            changed[first] = value
    return replace(options, **changed)


def check_options(options: "DataclassInstance") -> None:
    """Raises InputError for the first value that is out of range, or none of the choices."""
    for one in options_of(type(options)):
        one.check(options)


def option_words(options: "DataclassInstance") -> list[str]:
    """What differs from the defaults as words of a command line, paths made absolute; not what a
    written command line leaves to others."""
    words: list[str] = []
    for one in options_of(type(options)):
        if not one.option.in_script or not one.is_changed(options):
            continue
        value = one.value_in(options)
        if one.is_switch:
            words.append(one.flag)
            continue
        several = one.option.repeated and isinstance(value, tuple)
        for each in cast("tuple[object, ...]", value) if several else (value,):
            words += _words(one, each)
    return words


def _words(one: Declared, value: object) -> list[str]:
    """An option with a value, as words of a command line."""
    form = one.option.form
    if isinstance(form, WordsForm):
        return [one.flag, *form.write(value)]
    # The = keeps a size like -1x360, or a style called -x, from being taken for an option.
    return [f"{one.flag}={form.write(value)}"]


def within(low: float, high: float, hint: str = "", *, above: bool = False) -> Check:
    """Refuses what is outside low..high, and `low` itself if it must lie above that."""

    def check(value: float) -> str:
        good = low < value <= high if above else low <= value <= high
        return "" if good else f"is outside {low:g}..{high:g}{hint}"

    return check


def at_least(least: float, unit: str = "") -> Check:
    """Refuses less."""
    return lambda value: "" if value >= least else f"is less than {least:g}{unit}"


def above(limit: float, unit: str = "") -> Check:
    """Refuses what is not above the limit."""
    return lambda value: "" if value > limit else f"is not above {limit:g}{unit}"


def _no_choice(choices: Sequence[str]) -> str:
    if len(choices) == 2:
        return f"is neither {choices[0]} nor {choices[1]}"
    return f"is unknown; there are {', '.join(choices)}"


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
