"""The identity of a source: a hash of its content, for the run file."""

import hashlib
import os

_BLOCK_BYTES = 1 << 20


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


def _add_file(digest: "hashlib._Hash", path: str) -> None:
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
