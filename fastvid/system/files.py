"""Writing a file so that whoever looks at it sees all of it or what was there before."""

import os
from pathlib import Path

from fastvid.errors import StorageError


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file at once: after a kill or a full disk it is the old one or the new one, whole.

    Raises StorageError if it can't be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot write: {error.strerror}") from error
