"""fastvid: repaints a whole video in the style of a painting, without flicker, in parallel."""

from fastvid.errors import FastvidError, InputError, RemoteError, StorageError
from fastvid.system.version import __version__

__all__ = ["FastvidError", "InputError", "RemoteError", "StorageError", "__version__", "stylize"]


def __getattr__(name: str) -> object:
    # MPI, OpenCV and the rest are imported only by those who stylize.
    if name == "stylize":
        from fastvid.commands.api import stylize

        return stylize
    raise AttributeError(f"module 'fastvid' has no attribute {name!r}")
