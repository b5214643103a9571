"""Words of the command line that several programs understand, for argparse's `type`."""

import argparse
from collections.abc import Callable, Iterable


def numbers_of(text: str) -> list[int]:
    """2,4,8 as numbers."""
    return [int(part) for part in text.split(",")]


def words_of(text: str) -> list[str]:
    """one,two as words."""
    return text.split(",")


def words_among(allowed: Iterable[str]) -> Callable[[str], list[str]]:
    """As `words_of`, but only those that are allowed."""
    known = list(allowed)

    def parse(text: str) -> list[str]:
        words = words_of(text)
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"unknown {word}; there are {', '.join(known)}")
        return words

    return parse


def size_of(text: str) -> tuple[int, int]:
    """640x360 as width and height."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def sizes_of(text: str) -> list[tuple[int, int]]:
    """1280x720,1920x1080 as widths and heights; nothing gives none."""
    return [size_of(part) for part in text.split(",") if part]
