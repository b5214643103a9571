"""fastvid: repaints a whole video in the style of a painting, without flicker, in parallel.

The rooms, from the door down; an import only goes further down (docs/architecture.md):

__main__    the door: starts MPI, leads or serves, one message for whatever goes wrong
commands    what can be asked for, from the command line or from Python
job         one run as rank 0 leads it; `training`: styles learned from paintings
parallel    the ranks: deal, work, hand over, heartbeats; its mailbox and its threads
encode      film out
runfile     everything gathers here: HDF5
stages      what is done to a frame: motion, paint, blend
masking     making masks with the same engine
regions     parts of the picture: masks, weights, composing
style       networks that paint; `motion`: flow, occlusion, warp; `decode`: film in;
            `system`: the machine
errors      what is raised on purpose, and its exit status
"""

from importlib import import_module
from typing import TYPE_CHECKING

from fastvid.errors import FastvidError, InputError, RemoteError, Stopped, StorageError
from fastvid.system.version import __version__

if TYPE_CHECKING:
    from fastvid.commands.api import make_masks, stylize
    from fastvid.job.options import StylizeOptions
    from fastvid.job.result import JobResult
    from fastvid.regions.spec import Region
    from fastvid.stages.overlap import Overlap
    from fastvid.system.allocator import keep_freed_memory

__all__ = [
    "FastvidError",
    "InputError",
    "JobResult",
    "Overlap",
    "Region",
    "RemoteError",
    "Stopped",
    "StorageError",
    "StylizeOptions",
    "__version__",
    "keep_freed_memory",
    "make_masks",
    "stylize",
]

# MPI, OpenCV and torch are imported only by those who stylize.
_LAZY = {
    "JobResult": "fastvid.job.result",
    "Overlap": "fastvid.stages.overlap",
    "Region": "fastvid.regions.spec",
    "StylizeOptions": "fastvid.job.options",
    "keep_freed_memory": "fastvid.system.allocator",
    "make_masks": "fastvid.commands.api",
    "stylize": "fastvid.commands.api",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fastvid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
