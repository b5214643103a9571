"""Encodes a finished run again, without computing."""

import argparse
import json
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.decode.sphere_tags import SphereTags, tags_from_table
from fastvid.encode.codecs import ALIASES, available_codecs
from fastvid.encode.encoded_parts import part_folder
from fastvid.encode.kept_parts import KeptParts, find_kept_parts
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.encode.plan import OutputPlan
from fastvid.errors import InputError
from fastvid.job.progress import Progress, add_progress
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.runfile.lock import OUTPUT_OPTION, RunLock
from fastvid.runfile.reader import RunFile
from fastvid.system.arguments import add_overwrite, add_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid encode`."""
    parser.description = "Encodes the frames of a run file again, without computing anything."
    parser.add_argument("run_file", type=Path, help="a run file (.h5) whose run is complete")
    parser.add_argument("-o", "--output", required=True, help="the video or folder to write")
    parser.add_argument("--codec", metavar="NAME", help=" ".join(available_codecs()))
    parser.add_argument("--crf", type=float, help="constant quality; lower is better and larger")
    parser.add_argument("--preset", help="speed of the encoder, such as fast, medium, slow")
    parser.add_argument(
        "--source",
        metavar="FILE",
        help="where sound and subtitles come from (default: the input of the run)",
    )
    parser.add_argument("--no-source", action="store_true", help="writes the picture alone")
    parser.add_argument(
        "--no-location",
        action="store_true",
        help="leaves out where the film was made: tags, and data tracks of cameras",
    )
    add_threads(parser)
    add_overwrite(parser)
    add_progress(parser)


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Encodes the run again."""
    encode_run(
        parsed.run_file,
        parsed.output,
        codec=parsed.codec,
        crf=parsed.crf,
        preset=parsed.preset,
        source=parsed.source,
        with_source=not parsed.no_source,
        threads=parsed.threads,
        overwrite=parsed.overwrite,
        no_location=parsed.no_location,
        progress=Progress(parsed.progress),
    )
    return 0


def encode_run(
    run_path: Path,
    output: str,
    *,
    codec: str | None,
    crf: float | None,
    preset: str | None,
    source: str | None,
    with_source: bool,
    threads: int,
    overwrite: bool,
    no_location: bool,
    progress: Progress,
) -> None:
    """Encodes the frames of a run file into `output`.

    source: where sound and subtitles come from; None for the input that the run file names.
    no_location: leaves out where the film was made.
    Raises InputError if the run is not complete, its frames were discarded, or the output can't be
    written as asked or somebody is writing it; StorageError if the disk does not take it.
    """
    with RunFile(run_path) as run, ExitStack() as stack:
        kept = _check_frames(run, stack)
        if Path(output).is_file() and not overwrite:
            raise InputError(
                f"{output} exists already. Use --overwrite to replace it, or another -o."
            )
        source = (source or _input_of(run)) if with_source else None
        if kept is not None:
            _check_as_kept(kept, codec, crf, preset)
            codec, crf, preset = kept.codec, kept.crf, kept.preset
        plan = plan_output(
            output,
            info=_info(run),
            codec=codec,
            crf=crf,
            preset=preset,
            source=source,
            overwrite=overwrite,
        )
        stack.enter_context(RunLock(plan.path, OUTPUT_OPTION))
        for note in plan.notes:
            progress.note(note)
        if kept is not None:
            notes = _put_together(run, plan, kept.paths, source, with_place=not no_location)
        else:
            notes = _write(run, plan, source, threads, progress, with_place=not no_location)
    for note in notes:
        progress.note(note)
    progress.say(f"video: {plan.path}")


def _input_of(run: RunFile) -> str | None:
    """The input of the run, None if it was a folder of images. Raises InputError if it is gone."""
    if int(run.attributes["input_stream"]) < 0:
        return None
    source = str(run.attributes["input"])
    if not Path(source).exists():
        raise InputError(
            f"The input of the run, {source}, is gone; its sound is needed.\n"
            "Say where it is with --source, or use --no-source for the picture alone."
        )
    return source


def _write(
    run: RunFile,
    plan: OutputPlan,
    source: str | None,
    threads: int,
    progress: Progress,
    *,
    with_place: bool,
) -> list[str]:
    """Encodes the frames and puts the output together; returns what the user should know."""
    part = part_folder(plan.path).with_suffix(".reencode")
    try:
        _encode_part(run, plan, part, threads, progress)
        return _put_together(run, plan, [part], source, with_place=with_place)
    finally:
        _remove(part)


def _put_together(
    run: RunFile, plan: OutputPlan, parts: Sequence[Path], source: str | None, *, with_place: bool
) -> list[str]:
    span = tuple(int(pts) for pts in run.attributes["span"])
    return mux(
        plan,
        parts,
        source=source,
        span=(span[0], span[1]) if span else None,
        source_video_stream_index=max(int(run.attributes["input_stream"]), 0),
        with_place=with_place,
    )


def _check_frames(run: RunFile, stack: ExitStack) -> KeptParts | None:
    """The parts that hold the frames where these were freed; None where the run file has them.
    `stack` gives the run file free again, whose run must not clear its parts meanwhile.

    Raises InputError if frames are missing, in the run file and in parts.
    """
    # "painted": all frames are there, and putting the output together failed or was cut off.
    if not (run.complete or (run.attributes.get("painted") and bool(run.stored.all()))):
        missing = int((~run.stored).sum())
        raise InputError(
            f"The run of {run.path} is not complete ({missing} known frames are "
            "missing).\nStart its command again to finish it."
        )
    if not run.encoded.any():
        return None
    if "parts" in run.attributes and not run.complete:
        stack.enter_context(RunLock(run.path))
        folder = Path(str(run.attributes["parts"]))
        kept = find_kept_parts(folder, run.run_id.text, run.frame_count)
        if kept is not None:
            return kept
    raise InputError(
        f"{run.path} has no frames any more: --discard-frames freed them once they were encoded."
    )


def _check_as_kept(
    kept: KeptParts, codec: str | None, crf: float | None, preset: str | None
) -> None:
    """Raises InputError if the film is to be encoded otherwise than what is left of it."""
    said = (codec and ALIASES.get(codec, codec), crf, preset)
    if any(
        one is not None and one != other
        for one, other in zip(said, (kept.codec, kept.crf, kept.preset), strict=True)
    ):
        raise InputError(
            f"Of the frames only their encoded form is left (--discard-frames): {kept.codec}, "
            f"crf {kept.crf}, preset {kept.preset}.\nLeave out --codec, --crf and --preset."
        )


def _info(run: RunFile) -> VideoInfo:
    primaries, transfer, matrix, full_range = (int(v) for v in run.attributes["color"])
    return VideoInfo(
        path=str(run.attributes["input"]),
        width=run.width,
        height=run.height,
        time_base=run.time_base,
        average_rate=run.average_rate,
        frame_count_estimate=run.frame_count,
        color=ColorTags(primaries, transfer, matrix, bool(full_range)),
        sphere=_sphere(run),
    )


def _sphere(run: RunFile) -> SphereTags | None:
    """The tags of a sphere that the run was painted with. Raises InputError if they are damaged."""
    text = run.attributes.get("sphere")
    if text is None:
        return None
    try:
        return tags_from_table(json.loads(text))
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise InputError(f"{run.path}: its attribute sphere is damaged ({error}).") from error


def _encode_part(
    run: RunFile, plan: OutputPlan, part: Path, threads: int, progress: Progress
) -> None:
    encoder = open_encoder(plan, part, threads)
    try:
        for index, (pts, duration) in enumerate(
            zip(*(t.tolist() for t in run.times()), strict=True)
        ):
            encoder.write(run.frame(index), pts, duration)
            progress.update(index + 1, run.frame_count, {})
        encoder.close()
    except BaseException:
        encoder.abort()
        raise
    finally:
        progress.close()


def _remove(part: Path) -> None:
    if part.is_dir():
        for file in part.iterdir():
            file.unlink()
        part.rmdir()
    else:
        part.unlink(missing_ok=True)
