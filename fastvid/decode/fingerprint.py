"""The identity of a source: a hash of its content, for the run file."""

import hashlib
import os
from pathlib import Path

_BLOCK_BYTES = 1 << 20
# Of the head and of the tail of a file, where the headers and indices of all containers are.
_SAMPLE_BYTES = 1 << 20


def fingerprint(path: str) -> str:
    """SHA-256 of a file's content, or of a folder's file names and contents, as 64 hex digits.

    Reads in blocks. Renaming or moving a file keeps its fingerprint; a folder's hidden files and
    subfolders don't count. Raises OSError where something can't be read.
    """
    digest = hashlib.sha256()
    if not os.path.isdir(path):
        _add_file(digest, Path(path))
        return digest.hexdigest()
    for file in _visible_files(path):
        # Name and length go in with the content, so that no two folders share one stream of bytes.
        encoded = os.fsencode(file.name)
        lengths = f"{len(encoded)} {file.stat().st_size}\n"
        digest.update(lengths.encode("ascii") + encoded)
        _add_file(digest, file)
    return digest.hexdigest()


def sample_fingerprint(path: str) -> str:
    """A fingerprint from sizes, heads and tails alone, to find out cheaply whether two hosts see
    the same file or folder. Raises OSError where something can't be read."""
    digest = hashlib.sha256()
    sampled = [Path(path)]
    if os.path.isdir(path):
        files = _visible_files(path)
        for file in files:
            listed = f"{file.stat().st_size} {file.name}\0"
            digest.update(listed.encode("utf-8", "surrogateescape"))
        sampled = files[:1] + files[-1:]
    for file in sampled:
        size = file.stat().st_size
        digest.update(f"{size}\0".encode("ascii"))
        with open(file, "rb") as stream:
            digest.update(stream.read(_SAMPLE_BYTES))
            stream.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _visible_files(folder: str) -> list[Path]:
    """The files of a folder by name, hidden ones and subfolders apart."""
    found = sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
    return [path for path in found if path.is_file()]


def _add_file(digest: "hashlib._Hash", path: Path) -> None:
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
