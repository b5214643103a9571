"""The identity of a source: a hash of its content, for the run file."""

import hashlib
import os

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
        _add_file(digest, path)
        return digest.hexdigest()
    for name in sorted(os.listdir(path)):
        full = os.path.join(path, name)
        if name.startswith(".") or not os.path.isfile(full):
            continue
        # Name and length go in with the content, so that no two folders share one stream of bytes.
        encoded = os.fsencode(name)
        lengths = f"{len(encoded)} {os.path.getsize(full)}\n"
        digest.update(lengths.encode("ascii") + encoded)
        _add_file(digest, full)
    return digest.hexdigest()


def sample_fingerprint(path: str) -> str:
    """A fingerprint from sizes, heads and tails alone, to find out cheaply whether two hosts see
    the same file or folder. Raises OSError where something can't be read."""
    digest = hashlib.sha256()
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    files = [
        full
        for name in names
        if not name.startswith(".") and os.path.isfile(full := os.path.join(path, name))
    ]
    for full in files:
        digest.update(
            f"{os.path.getsize(full)} {os.path.basename(full)}\0".encode("utf-8", "surrogateescape")
        )
    for full in (files[:1] + files[-1:]) if os.path.isdir(path) else [path]:
        size = os.path.getsize(full)
        digest.update(f"{size}\0".encode("ascii"))
        with open(full, "rb") as stream:
            digest.update(stream.read(_SAMPLE_BYTES))
            stream.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _add_file(digest: "hashlib._Hash", path: str) -> None:
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
