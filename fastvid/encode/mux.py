"""The encoded parts and the other streams of the source become the output, whole or not at all."""

import glob
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import av

from fastvid.encode.container import Source, write_container
from fastvid.encode.images import assemble_folder, first_time
from fastvid.encode.origin import late_start_of
from fastvid.encode.plan import OutputPlan
from fastvid.encode.tags import lost_tags
from fastvid.errors import StorageError
from fastvid.system.files import CheckedFile, storage_errors, sync_folder

# What is copied, then what is tried if libavformat breaks off over one of those streams: the work
# of hours is not to be lost over a data track.
_COPIED = (
    frozenset({"audio", "subtitle", "data", "attachment"}),
    frozenset({"audio", "subtitle"}),
    frozenset({"audio"}),
    frozenset[str](),
)


def mux(
    plan: OutputPlan,
    parts: Sequence[str | Path],
    *,
    source: str | Path | None = None,
    span: tuple[int, int] | None = None,
    source_video_stream_index: int | None = None,
    with_place: bool = True,
) -> list[str]:
    """Writes the output of a run; it appears under its name only when it is complete.

    parts: the closed parts of `open_encoder`, in order. They are not deleted.
    source: where sound, subtitles, attachments, chapters and tags come from; None, or a folder of
        images: nowhere. source_video_stream_index: of the stream that was painted; None: the
        one that decoding chooses.
    span: (first pts, end pts) in the video's time base if only a part of the video was chosen:
        the other streams are cut to it, and all is shifted so that it begins at 0. None: the
        whole film, whose picture or sound, whichever is first, begins at 0 if it began later.
    with_place: False leaves out where the film was made: tags, and data tracks of cameras.
    Returns notes for the user: what was left out or rounded. Raises StorageError (disk full,
    parts missing) and leaves nothing half-made then, InputError if the source has gone bad.
    """
    paths = [Path(part) for part in parts]
    if plan.is_folder:
        first = span[0] if span else late_start_of(first_time(paths), plan.time_base, source)
        assemble_folder(plan.path, paths, plan.time_base, first)
        return []
    failure: av.FFmpegError | None = None
    for kinds in _COPIED if source is not None else _COPIED[-1:]:
        other_streams = None
        if source is not None and not Path(source).is_dir():
            other_streams = Source(str(source), source_video_stream_index, kinds, with_place)
        try:
            return _write_safely(plan, paths, other_streams, span)
        except av.FFmpegError as error:
            failure = error
    assert failure is not None
    raise StorageError(
        f"can't write {plan.path}: {failure.strerror}; encode again from the run "
        "file into an .mkv (python -m fastvid encode)"
    ) from failure


def remove_leftovers(output: Path) -> None:
    """Removes what a killed run left beside its output while it put that together."""
    for path in output.parent.glob(f".{glob.escape(output.name)}.part-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _write_safely(
    plan: OutputPlan, parts: list[Path], source: Source | None, span: tuple[int, int] | None
) -> list[str]:
    """Writes beside the output, then renames. Raises StorageError or av.FFmpegError."""
    temporary = plan.path.with_name(f".{plan.path.name}.part-{os.getpid()}")
    with storage_errors(temporary):
        file = CheckedFile(temporary)
    try:
        notes, tags = write_container(plan, parts, file, source, span)
        file.finish()
        notes += lost_tags(temporary, tags, plan.path.suffix)
        with storage_errors(plan.path):
            os.replace(temporary, plan.path)
    except (OSError, av.FFmpegError):
        # PyAV raises the failed write itself or an error of its own.
        file.raise_first_error()
        raise
    finally:
        file.discard()
        temporary.unlink(missing_ok=True)
    sync_folder(plan.path.parent)
    return notes
