"""fastvid: repaints a whole video in the style of a painting, without flicker, in parallel."""

from importlib import import_module
from typing import TYPE_CHECKING

from fastvid.errors import FastvidError, InputError, RemoteError, Stopped, StorageError
from fastvid.system.version import __version__

if TYPE_CHECKING:
    from fastvid.commands.api import stylize
    from fastvid.job.options import StylizeOptions
    from fastvid.job.result import JobResult
    from fastvid.stages.overlap import Overlap
    from fastvid.system.allocator import keep_freed_memory

__all__ = [
    "FastvidError",
    "InputError",
    "JobResult",
    "Overlap",
    "RemoteError",
    "Stopped",
    "StorageError",
    "StylizeOptions",
    "__version__",
    "keep_freed_memory",
    "stylize",
]

# MPI, OpenCV and torch are imported only by those who stylize.
_LAZY = {
    "JobResult": "fastvid.job.result",
    "Overlap": "fastvid.stages.overlap",
    "StylizeOptions": "fastvid.job.options",
    "keep_freed_memory": "fastvid.system.allocator",
    "stylize": "fastvid.commands.api",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fastvid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
