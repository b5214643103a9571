"""How the values of options are read from a command line, and written into one."""

import argparse
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """How values of one kind are read, with a ValueError or ArgumentTypeError for what is none, and
    written back."""

    read: Callable[[str], T]
    write: Callable[[T], str]


@dataclass(frozen=True)
class WordsForm(Generic[T]):
    """The same of a value that takes several words; `read` raises InputError for what is none."""

    read: Callable[[Sequence[str]], T]
    write: Callable[[T], list[str]]


def parse_number(text: str) -> float:
    """A finite number, for argparse."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def parse_frames(text: str) -> tuple[int, int | None]:
    """The value of --frames, for argparse: (first, stop); stop is None up to the end."""
    first, colon, stop = text.partition(":")
    if not colon or not all(
        part.isascii() and (part == "" or part.isdigit()) for part in (first, stop)
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range A:B of frame numbers")
    return int(first or 0), int(stop) if stop else None


def parse_size(text: str) -> tuple[int, int]:
    """The value of --size, for argparse: (width, height), pixels."""
    width, cross, height = text.lower().partition("x")
    try:
        if not cross:
            raise ValueError
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size like 1280x720 or 1280x-1"
        ) from None


def parse_rate(text: str) -> Fraction:
    """The value of --fps, for argparse: above 0."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate like 25 or 30000/1001") from None
    if rate <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return rate


def parse_names(text: str) -> tuple[str, ...]:
    """Names with commas between them, each once, for argparse."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def absolute(path: str | Path) -> str:
    """The path, from the root."""
    return os.path.abspath(path)


def absolute_if_file(name_or_path: str) -> str:
    """The path of a file, from the root; a name as it is."""
    return absolute(name_or_path) if Path(name_or_path).is_file() else name_or_path


def _frames_text(frames: tuple[int, int | None]) -> str:
    return ":".join("" if part is None else str(part) for part in frames)


def _size_text(size: tuple[int, int]) -> str:
    return "x".join(map(str, size))


TEXT = Form(str, str)
COUNT = Form(int, str)
NUMBER = Form(parse_number, str)
PATH = Form(Path, absolute)
NAME_OR_PATH = Form(str, absolute_if_file)
FRAMES = Form(parse_frames, _frames_text)
SIZE = Form(parse_size, _size_text)
RATE = Form(parse_rate, str)
NAMES = Form(parse_names, ",".join)
