"""Whether the output may be written where the user wants it."""

import os
import tempfile
from pathlib import Path

from fastvid.errors import InputError

# ".NAME.part-" and a process number.
_LONGEST_ADDITION = len(".") + len(".part-") + 10


def check_place(output: str | Path, source: str | Path | None, folder: bool) -> Path:
    """The absolute path of the output, once it is sure that it can be created there.

    A symbolic link at the output is followed, as any program that writes to it would do.
    Raises InputError: no such directory, a file where a directory is needed, a directory in the
    way, not writable, or the output is the input (by any name, also through links).
    """
    path = Path(os.path.realpath(Path(output).expanduser()))
    directory = path.parent
    if not directory.exists():
        raise InputError(
            f"the directory {directory} of the output {output} does not exist; "
            f"create it (mkdir -p {directory}) or choose another with -o"
        )
    if not directory.is_dir():
        raise InputError(f"{directory} is not a directory, so {output} can't be written there")
    if (
        source is not None
        and path.exists()
        and Path(source).exists()
        and os.path.samefile(path, source)
    ):
        raise InputError(f"the output {output} is the input {source}; choose another name with -o")
    if folder and path.exists() and not path.is_dir():
        raise InputError(
            f"{output} is a file, and a folder of images is to be written there; "
            "choose another name with -o"
        )
    if not folder and path.exists() and not path.is_file():
        raise InputError(f"{output} is a directory or a special file; choose a file name with -o")
    _check_name(path)
    _check_writable(directory)
    return path


def _check_name(path: Path) -> None:
    # While it is made the output has a longer name.
    limit = os.pathconf(path.parent, "PC_NAME_MAX") - _LONGEST_ADDITION
    length = len(os.fsencode(path.name))
    if length > limit:
        raise InputError(
            f"the name of the output has {length} bytes; the file system takes {limit} here, with "
            "what is added while it is made. Choose a shorter one with -o"
        )


def _check_writable(directory: Path) -> None:
    # Permission bits say little on network and read-only file systems; a nameless file says it.
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise InputError(
            f"can't write in {directory}: {error.strerror}; choose another place with -o"
        ) from error
