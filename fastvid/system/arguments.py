"""What command lines have in common: how a usage error is told."""

import argparse

from fastvid.errors import InputError


class Parser(argparse.ArgumentParser):
    """Usage errors as one message with exit status 2, like every other bad input."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(f"{message}\nSee `python -m {self.prog} --help`.")
