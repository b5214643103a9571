"""Encoding a finished run again: other codec, container or quality, nothing is computed."""

from pathlib import Path

from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.encode.plan import OutputPlan
from fastvid.encode.thread import part_folder
from fastvid.errors import InputError
from fastvid.job.progress import Progress
from fastvid.runfile.reader import RunFile


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

    no_location: leaves out where the film was made. source: where sound and subtitles come from; None for the input that the run file names.
    Raises InputError if the run is not complete, its frames were discarded, or the output can't be
    written as asked; StorageError if the disk does not take it.
    """
    with RunFile(run_path) as run:
        _check_frames(run)
        if Path(output).is_file() and not overwrite:
            raise InputError(
                f"{output} exists already. Use --overwrite to replace it, or another -o."
            )
        stream = int(run.attributes["input_stream"])
        if source is None and with_source and stream >= 0:
            source = str(run.attributes["input"])
            if not Path(source).exists():
                raise InputError(
                    f"The input of the run, {source}, is gone; its sound is needed.\n"
                    "Say where it is with --source, or use --no-source for the picture alone."
                )
        source = source if with_source else None
        plan = plan_output(
            output,
            info=_info(run),
            codec=codec,
            crf=crf,
            preset=preset,
            source=source,
            overwrite=overwrite,
        )
        for note in plan.notes:
            progress.note(note)
        part = part_folder(plan.path).with_suffix(".reencode")
        try:
            _encode_part(run, plan, part, threads, progress)
            span = tuple(int(pts) for pts in run.attributes["span"])
            notes = mux(
                plan,
                [part],
                source=source,
                span=(span[0], span[1]) if span else None,
                source_video_stream_index=max(stream, 0),
                with_place=not no_location,
            )
        finally:
            _remove(part)
    for note in notes:
        progress.note(note)
    progress.say(f"video: {plan.path}")


def _check_frames(run: RunFile) -> None:
    # "painted": all frames are there, and putting the output together failed or was cut off.
    if not (run.complete or (run.attributes.get("painted") and bool(run.stored.all()))):
        missing = int((~run.stored).sum())
        raise InputError(
            f"The run of {run.path} is not complete ({missing} known frames are "
            "missing).\nStart its command again to finish it."
        )
    if run.encoded.any():
        raise InputError(
            f"{run.path} has no frames any more: --discard-frames freed them once "
            "they were encoded."
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
    )


def _encode_part(
    run: RunFile, plan: OutputPlan, part: Path, threads: int, progress: Progress
) -> None:
    encoder = open_encoder(plan, part, threads)
    try:
        for index, (pts, duration) in enumerate(zip(*(t.tolist() for t in run.times()))):
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
