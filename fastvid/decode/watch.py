"""Notices that an input is changed or taken away while it is read."""

import os

from fastvid.errors import InputError


class Watch:
    """Remembers what a file or folder was when this was made. Raises InputError if it is gone."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._state = self._look()

    def check(self) -> None:
        """Raises InputError if the file is not what it was."""
        if self._look() != self._state:
            raise InputError(
                f"{self._path}: was changed while the job was reading it.\nStart "
                "over with --restart once it stays as it is."
            )

    def _look(self) -> tuple[int, int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise InputError(f"{self._path}: can't be read any more: {error.strerror}") from error
        return found.st_ino, found.st_size, found.st_mtime_ns
